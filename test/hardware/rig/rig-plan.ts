import type { VirtualDevice } from '#src/hub/drivers/contract/virtual-device'
import type { Ramp } from './rig-device.js'

/** A device of a rig: which driver, where, and what it senses. */
export interface DevicePlan {
  readonly name: string
  /** Of the catalogue. */
  readonly driver: string
  /** Name of one of the rig's buses. */
  readonly bus: string
  /** I2C only. */
  readonly address?: number
  /** The driver's own keys, as a file has them. */
  readonly options?: Readonly<Record<string, unknown>>
  /** Absent: the gateway's, or the device talks by itself. */
  readonly everyMs?: number
  /** Readings a second of a device that talks by itself. */
  readonly rateHz?: number
  readonly timeoutMs?: number
  readonly ramps: Readonly<Record<string, Ramp>>
  readonly hasChecksum?: boolean
  /** Options of the same driver, whose virtual device is another one than configured. */
  readonly impostor?: Readonly<Record<string, unknown>>
  /** In the place of the driver's own. */
  readonly virtual?: VirtualDevice
}

export type BusPlan =
  | { readonly type: 'i2c' | 'spi'; readonly path: string }
  | { readonly type: 'serial'; readonly baud: number }
  | { readonly type: 'tcp' | 'file' }

export interface RigPlan {
  readonly buses: Readonly<Record<string, BusPlan>>
  readonly devices: readonly DevicePlan[]
  /** Longest pause between two tries of a lost device; the hub's default when absent. */
  readonly retryMaxMs?: number
}
