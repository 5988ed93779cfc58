import type { HandlerRun } from './evidence.js'

/**
 * Finds runs out of order. Within one processor a device's batches run first in the order of their numbers, whatever is
 * run again: a batch that a processor meets for the first time is newer than all it has met before.
 *
 * Across processors runs may cross: one that was frozen goes on with what it had leased until it learns that its shard
 * is lost; its settlement is refused.
 *
 * @param isExempt devices whose batches leave the order by design: they are tried again later
 * @returns in words
 */
export function findReorders(runs: readonly HandlerRun[], isExempt: (device: string) => boolean): string[] {
  const seen = new Set<string>()
  const highest = new Map<string, number>()
  const problems: string[] = []
  for (const { pid, batch, device, first, last, isAscending } of runs) {
    if (isExempt(device)) continue
    if (!isAscending) problems.push(`${device}: batch ${batch} holds its samples out of order`)
    const id = `${pid} ${batch} ${device}`
    if (seen.has(id)) continue
    seen.add(id)
    const key = `${pid} ${device}`
    const high = highest.get(key) ?? -1
    if (first <= high) problems.push(`${device}: ${first} (batch ${batch}) ran first after ${high}, in process ${pid}`)
    highest.set(key, Math.max(high, last))
  }
  return problems
}

/** Runs beyond the first of each batch: what was done again after a fault. */
export function countReruns(runs: readonly HandlerRun[]): number {
  return runs.length - new Set(runs.map(({ batch, device }) => `${batch} ${device}`)).size
}
