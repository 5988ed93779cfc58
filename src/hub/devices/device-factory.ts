import { TelemetryError } from '#core/errors/telemetry-error'
import { parsePriority } from '#core/model/priority'
import type { Clock } from '#core/time/clock'
import { ChannelDriver } from '../channels/channel-driver.js'
import type { ChannelSink } from '../channels/channel-sink.js'
import { createDeviceChannels } from '../channels/device-channels.js'
import type { DeviceConfig } from '../config/driver-schemas.js'
import type { Driver, DriverContext } from '../drivers/driver.js'
import type { OverflowPolicy } from '../intake/device-intake.js'
import type { Intake } from '../intake/intake.js'
import { Device, type DeviceTransition } from './device.js'
import { devicePolicy } from './device-policy.js'

export interface DeviceFactoryOptions {
  intake: Intake
  clock: Clock
  /** For the stamps of drivers. */
  stampClock: Clock
  /** Of devices that do not say. */
  overflow: OverflowPolicy
  /** Of devices that do not say. Milliseconds. */
  everyMs: number
  onTransition: (transition: DeviceTransition) => void
  /** Gets the channel pipelines of each device that has any, for their figures. */
  channels: ChannelSink[]
}

/**
 * Makes a device out of its configuration, with its way into the rings.
 *
 * @throws TLM_OPTIONS_INVALID the driver refuses its options, or a channel cannot be what it is told to
 */
export function createDevice(name: string, config: DeviceConfig, options: DeviceFactoryOptions): Device {
  const { intake, clock, stampClock, onTransition } = options
  const { priority, overflow = options.overflow, every = options.everyMs } = config.device
  const sink = intake.addDevice(name, { priority: parsePriority(priority) ?? 1, overflow })
  const channels = createDeviceChannels(name, config, sink, stampClock)
  if (channels !== undefined) options.channels.push(channels)
  const plain = createDriver(config, { device: name, sink: channels ?? sink, clock: stampClock, everyMs: every })
  const driver = channels === undefined ? plain : new ChannelDriver(plain, channels)
  return new Device({ name, driver, clock, policy: devicePolicy(config.device), onTransition })
}

function createDriver({ driver, options }: DeviceConfig, context: DriverContext): Driver {
  if (driver.kind === 'source') return driver.create(options, context)
  throw new TelemetryError('TLM_OPTIONS_INVALID', `driver ${driver.manifest.name} needs a bus`)
}
