import type { HandlerRun } from './evidence.js'

/**
 * Finds samples stored out of order. A shard's owner writes a device's batches in the order of their numbers, so the first
 * time each is stored is in that order, whatever is run again: a former owner that wakes goes on behind what it wrote.
 *
 * @param stored numbers by device in the order in which they were stored
 * @param isExempt devices whose batches leave the order by design: they are tried again later
 * @returns in words
 */
export function findReorders(
  stored: ReadonlyMap<string, readonly number[]>,
  isExempt: (device: string) => boolean,
): string[] {
  const problems: string[] = []
  for (const [device, numbers] of stored) {
    if (isExempt(device)) continue
    const seen = new Set<number>()
    let highest = -1
    for (const number of numbers) {
      if (number < highest && !seen.has(number)) problems.push(`${device}: ${number} was stored after ${highest}`)
      seen.add(number)
      highest = Math.max(highest, number)
    }
  }
  return problems
}

/** Runs beyond the first of each batch: what was done again after a fault. */
export function countReruns(runs: readonly HandlerRun[]): number {
  return runs.length - new Set(runs.map(({ batch, device }) => `${batch} ${device}`)).size
}
