import { Random } from './random.js'

const ENTRIES = 65_536

/**
 * 65 536 normal deviates (mean 0, deviation 1) drawn once by Box and Muller (1958): a random entry costs a look-up
 * where a fresh deviate costs a logarithm, a root and a cosine. The tails end near 4.3 deviations.
 */
export function createGaussianTable(seed: number): Float64Array {
  const random = new Random(seed)
  const table = new Float64Array(ENTRIES)
  for (let i = 0; i < ENTRIES; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
    const angle = 2 * Math.PI * random.next()
    table[i] = radius * Math.cos(angle)
    table[i + 1] = radius * Math.sin(angle)
  }
  return table
}

/** Makes any 32-bit integer an index of the table. */
export const GAUSSIAN_MASK = ENTRIES - 1
