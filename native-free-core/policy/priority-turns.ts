import type { Priority } from '../model/priority.js'

/** Shares of the bytes while all three wait: high, normal, low. */
export const PRIORITY_WEIGHTS = [8, 4, 1] as const
/** An entry that has waited longer than this goes next, whatever its weight. Milliseconds, by priority. */
export const PRIORITY_AGE_LIMITS_MS = [1000, 10_000, 60_000] as const
/** What an entry costs besides its bytes: many small ones are work, too. */
const ENTRY_BYTES = 128

const PRIORITIES: readonly Priority[] = [0, 1, 2]

/** The next entry of one priority. */
export interface PriorityHead {
  bytes: number
  /** Wall time at which it was stored, milliseconds. */
  storedAtMs: number
}

/**
 * Decides which priority an owner reads next: high before normal before low where little waits, and 8 : 4 : 1 by bytes
 * where all of them have more than can be done (self-clocked fair queueing; Golestani, INFOCOM 1994). So what is urgent
 * waits for an entry or two, and what is not urgent still moves. A priority saves nothing up while it is idle.
 *
 * A head that is older than its limit goes next, but not twice in a row: a backlog of old entries gets half of the turns.
 * A wall clock that is wrong changes no more than that half.
 */
export class PriorityTurns {
  /** Virtual time at which the head of each priority is through; `undefined` while it has none. */
  readonly #tags: (number | undefined)[] = [undefined, undefined, undefined]
  readonly #finished = [0, 0, 0]
  #virtualTime = 0
  #isOverride = false
  #wasOverride = false

  /**
   * @param heads by priority; `undefined` where nothing waits
   * @param nowMs wall time
   * @returns `undefined` when nothing waits at all
   */
  next(heads: readonly (PriorityHead | undefined)[], nowMs: number): Priority | undefined {
    let first: Priority | undefined
    let oldest: Priority | undefined
    let most = 1
    for (const priority of PRIORITIES) {
      const head = heads[priority]
      if (head === undefined) {
        this.#tags[priority] = undefined
        continue
      }
      const tag = this.#tags[priority] ?? this.#tagOf(priority, head)
      this.#tags[priority] = tag
      if (first === undefined || tag < (this.#tags[first] as number)) first = priority
      const overdue = (nowMs - head.storedAtMs) / PRIORITY_AGE_LIMITS_MS[priority]
      if (overdue > most) {
        most = overdue
        oldest = priority
      }
    }
    this.#isOverride = !this.#wasOverride && oldest !== undefined && oldest !== first
    return this.#isOverride ? oldest : first
  }

  #tagOf(priority: Priority, { bytes }: PriorityHead): number {
    const start = Math.max(this.#virtualTime, this.#finished[priority])
    return start + (bytes + ENTRY_BYTES) / PRIORITY_WEIGHTS[priority]
  }

  /** The head that {@link next} named last was taken. */
  taken(priority: Priority): void {
    this.#wasOverride = this.#isOverride
    const tag = this.#tags[priority] ?? this.#virtualTime
    this.#finished[priority] = tag
    this.#tags[priority] = undefined
    // Out of turn, it does not put the others behind.
    if (!this.#isOverride) this.#virtualTime = tag
  }
}
