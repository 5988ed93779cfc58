/** From codes of the converter to units, in doubles (datasheet section 8.1); each step is told to `note`. */
import type { Note } from '../contract/decoded.js'
import type { Bme280Calibration } from './calibration.js'

/** `t_fine`: the temperature in 1/5120 °C, which pressure and humidity are corrected by. */
export function fineTemperature(adc: number, { t: [t1, t2, t3] }: Bme280Calibration, note?: Note): number {
  const linear = (adc / 16384 - t1 / 1024) * t2
  const square = (adc / 131072 - t1 / 8192) ** 2 * t3
  note?.('var1', linear, '(adc_t/16384 - T1/1024) * T2')
  note?.('var2', square, '(adc_t/131072 - T1/8192)^2 * T3')
  note?.('t_fine', linear + square, 'var1 + var2')
  return linear + square
}

export function celsius(fine: number, note?: Note): number {
  note?.('temperature', fine / 5120, 't_fine / 5120')
  return fine / 5120
}

/** Pascal; `undefined` where the calibration makes the arithmetic divide by zero. */
export function pascal(adc: number, fine: number, { p }: Bme280Calibration, note?: Note): number | undefined {
  const { scale, offset } = pressureTerms(fine, p)
  note?.('scale', scale, '(1 + (P3*x^2/524288 + P2*x)/524288/32768) * P1, x = t_fine/2 - 64000')
  note?.('offset', offset, '(x^2*P6/32768 + 2*x*P5)/4 + 65536*P4')
  if (scale === 0) return undefined
  const linear = ((1048576 - adc - offset / 4096) * 6250) / scale
  note?.('linear', linear, '(1048576 - adc_p - offset/4096) * 6250 / scale')
  const value = linear + ((p[8] * linear * linear) / 2 ** 31 + (p[7] * linear) / 32768 + p[6]) / 16
  note?.('pressure', value, 'linear + (P9*linear^2/2^31 + P8*linear/32768 + P7)/16')
  return value
}

/** What temperature does to pressure: the code is taken away from `1048576 - offset/4096` and divided by `scale`. */
export function pressureTerms(fine: number, p: readonly number[]): { scale: number; offset: number } {
  const x = fine / 2 - 64000
  const offset = ((x * x * p[5]) / 32768 + 2 * x * p[4]) / 4 + 65536 * p[3]
  const scale = (1 + ((p[2] * x * x) / 524288 + p[1] * x) / 524288 / 32768) * p[0]
  return { scale, offset }
}

/** Percent relative humidity, held to 0..100 as the datasheet does. */
export function relativeHumidity(adc: number, fine: number, h: readonly number[], note?: Note): number {
  const { gain, offset } = humidityTerms(fine, h)
  note?.('offset', offset, '64*H4 + H5/16384*x, x = t_fine - 76800')
  note?.('gain', gain, 'H2/65536 * (1 + H6/2^26*x * (1 + H3/2^26*x))')
  const linear = (adc - offset) * gain
  note?.('linear', linear, '(adc_h - offset) * gain')
  const value = Math.min(Math.max(linear * (1 - (h[0] * linear) / 524288), 0), 100)
  note?.('relative_humidity', value, 'linear * (1 - H1*linear/524288), held to 0..100')
  return value
}

/** What temperature does to humidity: `offset` is taken away from the code, which is then multiplied by `gain`. */
export function humidityTerms(fine: number, h: readonly number[]): { gain: number; offset: number } {
  const x = fine - 76800
  const gain = (h[1] / 65536) * (1 + ((h[5] * x) / 2 ** 26) * (1 + (h[2] * x) / 2 ** 26))
  return { gain, offset: 64 * h[3] + (h[4] * x) / 16384 }
}
