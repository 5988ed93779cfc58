import { MEASUREMENT_TIME_DEFAULT, type Resolution } from './opcodes.js'

/** The highest count: as bright as this, or brighter. */
export const COUNT_MAX = 0xffff
/** What one count is less than a lux, with the default measurement time. */
const COUNTS_PER_LUX = 1.2

/** Illuminance in lux of a count. */
export function illuminance(count: number, resolution: Resolution, measurementTime: number): number {
  const lux = (count / COUNTS_PER_LUX) * (MEASUREMENT_TIME_DEFAULT / measurementTime)
  return resolution === 'high2' ? lux / 2 : lux
}

/** Counts between two results that differ. */
export function countStep(resolution: Resolution): number {
  return resolution === 'low' ? 4 : 1
}
