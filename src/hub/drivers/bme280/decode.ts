import { QUALITY, type Quality } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Channel } from '../contract/manifest.js'
import { hexByte } from '../registers/dead-bus.js'
import { type Bme280Options, hasHumidity, hasPressure } from './bme280-options.js'
import { REGISTER, SKIPPED_16, SKIPPED_20 } from './bme280-registers.js'
import { burstFault, burstOf } from './burst.js'
import type { Bme280Calibration } from './calibration.js'
import { celsius, fineTemperature, pascal, relativeHumidity } from './compensate.js'

/** Limits of operation (datasheet table 1 to 3). */
const TEMPERATURE: Channel = {
  name: 'temperature',
  quantity: 'temperature',
  unit: 'Cel',
  range: [-40, 85],
  resolution: 0.01,
}
const PRESSURE: Channel = {
  name: 'pressure',
  quantity: 'pressure',
  unit: 'Pa',
  range: [30_000, 110_000],
  resolution: 5,
}
const HUMIDITY: Channel = {
  name: 'relative_humidity',
  quantity: 'relative_humidity',
  unit: '%',
  range: [0, 100],
  resolution: 0.02,
}

export function channels(options: Bme280Options): readonly Channel[] {
  return [TEMPERATURE, ...(hasPressure(options) ? [PRESSURE] : []), ...(hasHumidity(options) ? [HUMIDITY] : [])]
}

/**
 * One reading. No reading when all that is measured still holds what a reset leaves (0x80000, 0x8000): one of those
 * alone is a measured code like any other, at some 26 °C.
 */
export function decode(raw: Uint8Array, calibration: Bme280Calibration, options: Bme280Options, note?: Note): Decoded {
  if (raw.length === 0) return []
  const found = burstFault(raw, options)
  if (found) return found
  const codes = codesOf(raw, options)
  tellInputs(raw, calibration, options, codes, note)
  if (isUnmeasured(codes, options)) return []
  const fine = fineTemperature(codes.temperature, calibration, note)
  const values = [celsius(fine, note)]
  if (hasPressure(options)) values.push(pascal(codes.pressure, fine, calibration, note) ?? Number.NaN)
  if (hasHumidity(options) && calibration.h) values.push(relativeHumidity(codes.humidity, fine, calibration.h, note))
  if (!values.every(Number.isFinite)) {
    const message = 'The calibration gives no number for this measurement; initialise the chip again.'
    return { fault: 'setup', message }
  }
  const quality: Quality[] = [qualityOf(values[0], TEMPERATURE)]
  if (hasPressure(options)) quality.push(qualityOf(values[1], PRESSURE))
  if (hasHumidity(options)) quality.push(QUALITY.good)
  return [{ ageUs: 0, values, quality }]
}

interface Codes {
  readonly pressure: number
  readonly temperature: number
  /** 0 on a BMP280. */
  readonly humidity: number
}

function codesOf(raw: Uint8Array, options: Bme280Options): Codes {
  const at = REGISTER.data - burstOf(options).from
  const twenty = (from: number) => (raw[from] << 12) | (raw[from + 1] << 4) | (raw[from + 2] >> 4)
  const humidity = options.chip === 'bme280' ? (raw[at + 6] << 8) | raw[at + 7] : 0
  return { pressure: twenty(at), temperature: twenty(at + 3), humidity }
}

function isUnmeasured(codes: Codes, options: Bme280Options): boolean {
  const isPressureLeft = codes.pressure === SKIPPED_20
  const isHumidityLeft = options.chip === 'bmp280' || codes.humidity === SKIPPED_16
  return codes.temperature === SKIPPED_20 && isPressureLeft && isHumidityLeft
}

function qualityOf(value: number, { range }: Channel): Quality {
  return range && (value < range[0] || value > range[1]) ? QUALITY.range : QUALITY.good
}

function tellInputs(
  raw: Uint8Array,
  { t, p, h }: Bme280Calibration,
  options: Bme280Options,
  codes: Codes,
  note?: Note,
) {
  if (!note) return
  const { from } = burstOf(options)
  raw.forEach((byte, at) => {
    note(`register ${hexByte(from + at)}`, hexByte(byte))
  })
  t.forEach((value, at) => {
    note(`T${at + 1}`, value)
  })
  p.forEach((value, at) => {
    note(`P${at + 1}`, value)
  })
  h?.forEach((value, at) => {
    note(`H${at + 1}`, value)
  })
  note('adc_t', codes.temperature, '0xFA<<12 | 0xFB<<4 | 0xFC>>4')
  if (hasPressure(options)) note('adc_p', codes.pressure, '0xF7<<12 | 0xF8<<4 | 0xF9>>4')
  if (hasHumidity(options)) note('adc_h', codes.humidity, '0xFD<<8 | 0xFE')
}
