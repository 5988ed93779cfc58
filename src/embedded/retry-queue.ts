import type { Priority } from '#core/model/priority'
import type { RetryRow } from './control-rows.js'

/** An entry that waits to be tried again, or is being tried. */
export interface Retry {
  /** Its key among the retry rows. */
  n: number
  row: RetryRow
}

/** The shard's retries as its owner knows them, by the time they are due. Thread: main. */
export class RetryQueue {
  /** By due time, then number. */
  #waiting: Retry[]

  constructor(rows: ReadonlyMap<number, RetryRow>) {
    this.#waiting = [...rows].map(([n, row]) => ({ n, row })).sort(byDueTime)
  }

  /** The retry of the priority that has been due for longest. */
  peek(priority: Priority, nowMs: number): Retry | undefined {
    for (const retry of this.#waiting) {
      if (retry.row.dueAtMs > nowMs) return undefined
      if (retry.row.priority === priority) return retry
    }
    return undefined
  }

  get nextDueAtMs(): number | undefined {
    return this.#waiting[0]?.row.dueAtMs
  }

  take(retry: Retry): void {
    this.#waiting.splice(this.#waiting.indexOf(retry), 1)
  }

  add(retry: Retry): void {
    const at = this.#waiting.findIndex((other) => byDueTime(other, retry) > 0)
    this.#waiting.splice(at < 0 ? this.#waiting.length : at, 0, retry)
  }
}

function byDueTime(a: Retry, b: Retry): number {
  return a.row.dueAtMs - b.row.dueAtMs || a.n - b.n
}
