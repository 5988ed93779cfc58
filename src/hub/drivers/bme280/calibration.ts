import type { FaultKind } from '../contract/fault.js'
import { deadBus } from '../registers/dead-bus.js'
import { CALIBRATION_BYTES, CALIBRATION_BYTES_WITH_H1, HUMIDITY_CALIBRATION_BYTES } from './bme280-registers.js'

/** The coefficients that each chip was given in the factory (datasheet table 16). */
export interface Bme280Calibration {
  readonly t: readonly [t1: number, t2: number, t3: number]
  /** P1..P9. */
  readonly p: readonly number[]
  /** H1..H6; absent on a BMP280. */
  readonly h?: readonly number[]
}

/** Bytes that `initialise` brings: 0x88..0xA1 and 0xE1..0xE7, of a BMP280 only 0x88..0x9F. */
export function calibrationLength(chip: 'bme280' | 'bmp280'): number {
  return chip === 'bmp280' ? CALIBRATION_BYTES : CALIBRATION_BYTES_WITH_H1 + HUMIDITY_CALIBRATION_BYTES
}

/**
 * Reads the coefficients. H4 and H5 share a byte and are signed numbers of 12 bits: 0xFF with a low half of 0xC is -4,
 * not 4092.
 *
 * @throws `setup` too few bytes, bytes of a dead bus, or a coefficient of 0 that the arithmetic divides or multiplies by
 */
export function readCalibration(
  bytes: Uint8Array,
  chip: 'bme280' | 'bmp280',
  fault: (kind: FaultKind, message: string) => Error,
): Bme280Calibration {
  const wanted = calibrationLength(chip)
  if (bytes.length !== wanted) {
    throw fault('setup', `The calibration has ${bytes.length} bytes instead of ${wanted}; read it again.`)
  }
  const dead = deadBus(bytes)
  if (dead) throw fault('setup', `The calibration cannot be, ${dead}; check wiring and supply, then replace the chip.`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const unsigned = (at: number) => view.getUint16(at, true)
  const signed = (at: number) => view.getInt16(at, true)
  const t = [unsigned(0), signed(2), signed(4)] as const
  const p = [unsigned(6), ...[8, 10, 12, 14, 16, 18, 20, 22].map(signed)]
  const h = chip === 'bme280' ? humidity(view) : undefined
  const zero = t[0] === 0 ? 'T1' : t[1] === 0 ? 'T2' : p[0] === 0 ? 'P1' : h?.[1] === 0 ? 'H2' : undefined
  if (zero)
    throw fault('setup', `The calibration word ${zero} is 0; cut the chip's supply, and replace it if that stays.`)
  return h ? { t, p, h } : { t, p }
}

function humidity(view: DataView): readonly number[] {
  const at = CALIBRATION_BYTES_WITH_H1
  const shared = view.getUint8(at + 4)
  const h4 = view.getInt8(at + 3) * 16 + (shared & 0x0f)
  const h5 = view.getInt8(at + 5) * 16 + (shared >> 4)
  return [view.getUint8(25), view.getInt16(at, true), view.getUint8(at + 2), h4, h5, view.getInt8(at + 6)]
}
