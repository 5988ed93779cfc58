import { parsePriority } from '#core/model/priority'
import type { Clock } from '#core/time/clock'
import type { DeviceConfig } from '../config/driver-schemas.js'
import type { Driver, DriverContext } from '../drivers/driver.js'
import { createLineDriver } from '../drivers/line/line-driver.js'
import { createReplayDriver } from '../drivers/replay/replay-driver.js'
import { createSimDriver } from '../drivers/sim/sim-driver.js'
import type { OverflowPolicy } from '../intake/device-intake.js'
import type { Intake } from '../intake/intake.js'
import { Device, type DeviceTransition } from './device.js'
import { DEVICE_POLICY_DEFAULTS } from './device-policy.js'

export interface DeviceFactoryOptions {
  intake: Intake
  clock: Clock
  /** Of devices that do not say. */
  overflow: OverflowPolicy
  onTransition: (transition: DeviceTransition) => void
}

/**
 * Makes a device out of its configuration, with its way into the rings.
 *
 * @throws TLM_OPTIONS_INVALID the driver refuses its options
 */
export function createDevice(name: string, config: DeviceConfig, options: DeviceFactoryOptions): Device {
  const { intake, clock, onTransition } = options
  const { priority, overflow = options.overflow, policy } = config.device
  const sink = intake.addDevice(name, { priority: parsePriority(priority) ?? 1, overflow })
  const driver = createDriver(config, { device: name, sink, clock })
  return new Device({ name, driver, clock, policy: { ...DEVICE_POLICY_DEFAULTS, ...policy }, onTransition })
}

function createDriver(config: DeviceConfig, context: DriverContext): Driver {
  switch (config.driver) {
    case 'sim':
      return createSimDriver(config.options, context)
    case 'replay':
      return createReplayDriver(config.options, context)
    case 'line':
      return createLineDriver(config.options, context)
  }
}
