import type { Decoded, Note } from './decoded.js'
import type { FaultKind } from './fault.js'
import type { BusKind, Channel, DriverManifest, ProbeFind } from './manifest.js'
import type { OptionFields, OptionShape, OptionsOf } from './option-fields.js'
import type { Port } from './ports.js'
import type { VirtualDevice } from './virtual-device.js'

/** What the hub lends a driver while it talks to its chip. */
export interface DriverTools {
  /** Ends early when the device is stopped. The bus is free meanwhile. */
  pause(ms: number): Promise<void>
  /** Makes the error to throw; the message says what, where, and how to mend it. */
  fault(kind: FaultKind, message: string): Error
}

/** What one acquisition costs, worst case, for the budget of the bus. */
export interface AcquisitionCost {
  /** Transactions on the bus: bytes in both directions, addresses included; for `file` ignored. */
  readonly transactions: readonly { readonly bytes: number }[]
  /** Time the chip needs besides, while others have the bus. Milliseconds. */
  readonly conversionMs: number
  /** Time the device takes to answer, while nobody else has the bus (Modbus slaves). Milliseconds. */
  readonly answerMs?: number
}

/**
 * A device that is asked. Four parts: what it is (`manifest`, `options`, `channels`, `cost`), how its bytes are got
 * (`initialise`, `acquire`: calls of the port only), what they mean (`calibration`, `decode`: pure, so that a recording
 * decodes again to the same values), and the virtual chip (`emulate`) for tests and for a hub without hardware.
 *
 * The functions keep nothing between calls: a driver is plain data, one object for all its devices.
 */
export interface PolledDriver<Shape extends OptionShape, DevicePort extends Port, Calibration> {
  readonly kind: 'polled'
  readonly manifest: DriverManifest
  /** The driver's own keys of a device; absent: it has none. */
  readonly options?: (field: OptionFields) => Shape
  /** What a device with these options measures; the same for the life of the device. */
  channels(options: OptionsOf<Shape>): readonly Channel[]
  cost(options: OptionsOf<Shape>): AcquisitionCost
  /** Shortest time between two acquisitions that the chip can do; the hub refuses a shorter `every`. Milliseconds. */
  shortestEveryMs(options: OptionsOf<Shape>): number
  /**
   * Verifies that the right chip is there, resets and configures it. Called at the start and after every trouble.
   *
   * @returns the calibration bytes of the chip, empty when it has none
   * @throws `identity`, `setup`, and what the port throws
   */
  initialise(port: DevicePort, options: OptionsOf<Shape>, tools: DriverTools): Promise<Uint8Array>
  /**
   * Gets the bytes of one acquisition; empty: the chip has nothing new.
   *
   * @param setup what `initialise` gave last
   */
  acquire(port: DevicePort, options: OptionsOf<Shape>, tools: DriverTools, setup: Uint8Array): Promise<Uint8Array>
  /**
   * Looks whether its chip could be there, for `hub scan`, which asks at addresses where anything may be: only reads, and
   * writes no more than a read needs (a register's number, a command that gives an identity).
   *
   * @returns `undefined`: it is not there
   * @throws what the port throws; then it is not there either
   */
  probe?(port: DevicePort, tools: DriverTools): Promise<ProbeFind | undefined>
  /** Pure. What `decode` needs of the calibration bytes; throws `setup` (through `fault`) when they cannot be. */
  calibration(
    bytes: Uint8Array,
    options: OptionsOf<Shape>,
    fault: (kind: FaultKind, message: string) => Error,
  ): Calibration
  /** Pure. Never throws. */
  decode(raw: Uint8Array, calibration: Calibration, options: OptionsOf<Shape>, note?: Note): Decoded
  /** A chip that answers as the real one does, on one of the manifest's buses. */
  emulate(options: OptionsOf<Shape>, bus: BusKind): VirtualDevice
}

/** Gives the parts of a polled driver their types; does nothing else. */
export function polledDriver<const Shape extends OptionShape, DevicePort extends Port, Calibration>(
  driver: PolledDriver<Shape, DevicePort, Calibration>,
): PolledDriver<Shape, DevicePort, Calibration> {
  return driver
}
