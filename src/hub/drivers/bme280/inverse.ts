/**
 * From units back to codes of the converter: the datasheet's formulas solved for the code, in closed form. The virtual
 * chip measures by them, so they share no step with what they test but the coefficients.
 */
import type { Bme280Calibration } from './calibration.js'

/** The code that reads `celsius`: t_fine is a quadratic of `adc/16384 - T1/1024`. */
export function temperatureCode(celsius: number, { t: [t1, t2, t3] }: Bme280Calibration): number {
  const fine = celsius * 5120
  const square = t3 / 64
  const root = Math.sqrt(t2 * t2 + 4 * square * fine)
  // The form without cancellation, which also holds for T3 = 0.
  const u = (2 * fine) / (t2 + root)
  return 16384 * (u + t1 / 1024)
}

/** The code that reads `pascal` at `fine`; the last step of the datasheet is a quadratic of the linear pressure. */
export function pressureCode(pascal: number, fine: number, { p }: Bme280Calibration): number {
  const [p1, p2, p3, p4, p5, p6, p7, p8, p9] = p
  const a = p9 / 2 ** 35
  const b = 1 + p8 / 2 ** 19
  const c = p7 / 16 - pascal
  const linear = (-2 * c) / (b + Math.sqrt(b * b - 4 * a * c))
  const x = fine / 2 - 64000
  const cold = (p6 * x ** 2) / 2 ** 17 + (p5 * x) / 2 + p4 * 2 ** 16
  const slope = p1 * (1 + (p3 * x ** 2) / 2 ** 53 + (p2 * x) / 2 ** 34)
  // Exponents as the datasheet's divisors multiply up: 524288 * 524288 * 32768 = 2^53, 524288 * 32768 = 2^34.
  return 1048576 - cold / 4096 - (linear * slope) / 6250
}

/** The code that reads `percent` at `fine`. */
export function humidityCode(percent: number, fine: number, h: readonly number[]): number {
  const [h1, h2, h3, h4, h5, h6] = h
  const curve = h1 / 524288
  const linear = (2 * percent) / (1 + Math.sqrt(1 - 4 * curve * percent))
  const x = fine - 76800
  const gain = (h2 * (1 + (h6 * x) / 67108864 + (h6 * h3 * x * x) / 67108864 ** 2)) / 65536
  return linear / gain + 64 * h4 + (h5 * x) / 16384
}
