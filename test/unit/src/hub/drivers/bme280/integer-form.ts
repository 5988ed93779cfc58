/**
 * The 32- and 64-bit integer forms of the BME280 datasheet (sections 4.2.3 and 8.2), in big integers: another
 * arithmetic for the same coefficients, to check the doubles against.
 */
import type { Bme280Calibration } from '#src/hub/drivers/bme280/calibration'

export function integerFine(adc: number, { t: [t1, t2, t3] }: Bme280Calibration): number {
  const a = BigInt(adc)
  const [b1, b2, b3] = [t1, t2, t3].map(BigInt)
  const var1 = (((a >> 3n) - (b1 << 1n)) * b2) >> 11n
  const var2 = (((((a >> 4n) - b1) * ((a >> 4n) - b1)) >> 12n) * b3) >> 14n
  return Number(var1 + var2)
}

/** Pascal; the datasheet's result is in 1/256 Pa. */
export function integerPressure(adc: number, fine: number, { p }: Bme280Calibration): number {
  const [p1, p2, p3, p4, p5, p6, p7, p8, p9] = p.map(BigInt)
  let var1 = BigInt(fine) - 128_000n
  let var2 = var1 * var1 * p6
  var2 += (var1 * p5) << 17n
  var2 += p4 << 35n
  var1 = ((var1 * var1 * p3) >> 8n) + ((var1 * p2) << 12n)
  var1 = (((1n << 47n) + var1) * p1) >> 33n
  let value = 1_048_576n - BigInt(adc)
  value = (((value << 31n) - var2) * 3125n) / var1
  var1 = (p9 * (value >> 13n) * (value >> 13n)) >> 25n
  var2 = (p8 * value) >> 19n
  return Number(((value + var1 + var2) >> 8n) + (p7 << 4n)) / 256
}

/** Percent; the datasheet's result is in 1/1024 %. */
export function integerHumidity(adc: number, fine: number, h: readonly number[]): number {
  const [h1, h2, h3, h4, h5, h6] = h.map(BigInt)
  const x = BigInt(fine) - 76_800n
  const low = ((BigInt(adc) << 14n) - (h4 << 20n) - h5 * x + 16_384n) >> 15n
  const high = (((((x * h6) >> 10n) * (((x * h3) >> 11n) + 32_768n)) >> 10n) + 2_097_152n) * h2 + 8192n
  let value = low * (high >> 14n)
  value -= ((((value >> 15n) * (value >> 15n)) >> 7n) * h1) >> 4n
  if (value < 0n) value = 0n
  if (value > 419_430_400n) value = 419_430_400n
  return Number(value >> 12n) / 1024
}
