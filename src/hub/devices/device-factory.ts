import { TelemetryError } from '#core/errors/telemetry-error'
import { parsePriority } from '#core/model/priority'
import type { Clock } from '#core/time/clock'
import type { BusRegistry } from '../buses/bus-registry.js'
import { everyOf } from '../config/bus-cadence.js'
import type { DeviceConfig } from '../config/driver-schemas.js'
import type { Driver, DriverContext } from '../drivers/driver.js'
import type { OverflowPolicy } from '../intake/device-intake.js'
import type { Intake } from '../intake/intake.js'
import { Device, type DeviceTransition } from './device.js'
import { devicePolicy } from './device-policy.js'
import { PolledRunner } from './polled-runner.js'
import { ReadingFigures, type ReadingFiguresOptions } from './reading-figures.js'
import { StreamRunner } from './stream-runner.js'

export interface DeviceFactoryOptions {
  intake: Intake
  clock: Clock
  buses: BusRegistry
  /** Of devices that do not say. */
  overflow: OverflowPolicy
  /** Of devices that do not say. Milliseconds. */
  everyMs: number
  onTransition: (transition: DeviceTransition) => void
  /** Hear of readings that fail, and work again. */
  onReading?: Pick<ReadingFiguresOptions, 'onFault' | 'onWell'>
}

/**
 * Makes a device out of its configuration, with its way into the rings.
 *
 * @throws TLM_OPTIONS_INVALID the driver refuses its options
 */
export function createDevice(name: string, config: DeviceConfig, options: DeviceFactoryOptions): Device {
  const { intake, clock, onTransition } = options
  const { priority, overflow = options.overflow, every } = config.device
  const sink = intake.addDevice(name, { priority: parsePriority(priority) ?? 1, overflow })
  const context = { device: name, sink, clock, everyMs: every ?? options.everyMs }
  const figures =
    config.driver.kind === 'source' ? undefined : new ReadingFigures({ device: name, ...options.onReading })
  const driver = figures === undefined ? createSource(config, context) : createRunner(config, context, figures, options)
  return new Device({ name, driver, clock, policy: devicePolicy(config.device), onTransition, figures })
}

function createSource({ driver, options }: DeviceConfig, context: DriverContext): Driver {
  if (driver.kind === 'source') return driver.create(options, context)
  throw new TelemetryError('TLM_INVARIANT_BROKEN', `Driver ${driver.manifest.name} is no source.`)
}

function createRunner(
  { driver, device, options, place }: DeviceConfig,
  { device: name, sink, clock }: DriverContext,
  figures: ReadingFigures,
  { buses, everyMs: gatewayMs }: DeviceFactoryOptions,
): Driver {
  if (driver.kind === 'source' || place === undefined) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `Device ${name} (${driver.manifest.name}) needs a bus.`)
  }
  const seat = buses.busFor(place.bus, name).join(name, place.timeoutMs)
  const { time, observation } = buses
  const { keepRaw } = place
  const parts = { device: name, options, seat, keepRaw, sink, time, clock, figures, observation }
  if (driver.kind === 'stream') return new StreamRunner({ ...parts, driver })
  const { maxClockHz } = driver.manifest
  const port = {
    ...(place.address === undefined ? {} : { address: place.address }),
    ...(maxClockHz === undefined ? {} : { maxClockHz }),
  }
  return new PolledRunner({ ...parts, driver, port, everyMs: everyOf(driver, options, device.every, gatewayMs) })
}
