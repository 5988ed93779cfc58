import type { SampleColumns } from '#core/model/columns'
import { PRIORITY_NAMES } from '#core/model/priority'

const PRIORITIES = PRIORITY_NAMES.length

/** Rows of one shard and priority, in the order in which they came. */
export interface RowGroup {
  shard: number
  priority: number
  /** First and last plus one, in {@link RowSorter.rows}. */
  from: number
  to: number
}

/** Sorts the rows of a chunk by shard and priority, stably, in time linear in their number (a counting sort). */
export class RowSorter {
  /** Row numbers, group by group; reused by the next sort. */
  readonly rows: Uint32Array
  readonly #counts: Uint32Array
  readonly #groups: Uint8Array

  /** @param capacity most rows of a chunk */
  constructor(capacity: number, shards: number) {
    this.rows = new Uint32Array(capacity)
    this.#groups = new Uint8Array(capacity)
    this.#counts = new Uint32Array(shards * PRIORITIES)
  }

  /** @returns the groups that have rows, ascending by shard, then priority */
  sort({ count, series, priorities }: SampleColumns, shardOfSeries: Uint8Array): RowGroup[] {
    const counts = this.#counts.fill(0)
    const groupOfRow = this.#groups
    for (let row = 0; row < count; row++) {
      const group = shardOfSeries[series[row]] * PRIORITIES + priorities[row]
      groupOfRow[row] = group
      counts[group]++
    }
    const groups: RowGroup[] = []
    let from = 0
    for (let group = 0; group < counts.length; group++) {
      const to = from + counts[group]
      if (to > from) groups.push({ shard: Math.floor(group / PRIORITIES), priority: group % PRIORITIES, from, to })
      counts[group] = from
      from = to
    }
    const rows = this.rows
    for (let row = 0; row < count; row++) rows[counts[groupOfRow[row]]++] = row
    return groups
  }
}
