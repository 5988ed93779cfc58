/**
 * How many entries may be leased and not settled, over all shards of the process. A shard reserves before it leases, and
 * gives back what did not come and what is settled.
 */
export class InFlightBudget {
  readonly #max: number
  #used = 0
  #shards = 0
  readonly #waiters = new Set<() => void>()

  /** @param max at least 1 */
  constructor(max: number) {
    this.#max = max
  }

  get used(): number {
    return this.#used
  }

  /** The part of one shard when all want as much as they can get; at least 1. */
  get share(): number {
    return Math.max(1, Math.floor(this.#max / Math.max(1, this.#shards)))
  }

  /** Whether reservations that wait for entries keep other shards from leasing. */
  get isScarce(): boolean {
    return this.#max - this.#used < this.#shards
  }

  /** A shard joins; the returned function takes it out again. */
  join(): () => void {
    this.#shards++
    return () => {
      this.#shards--
    }
  }

  /** @returns the number granted: 0 .. `wanted` */
  reserve(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.#max - this.#used))
    this.#used += granted
    return granted
  }

  free(entries: number): void {
    this.#used -= entries
    if (entries > 0) for (const resolve of [...this.#waiters]) resolve()
  }

  /** Resolves when something was given back, after `waitMs`, or when the signal is aborted. */
  room(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', settle)
        this.#waiters.delete(settle)
        resolve()
      }
      const timer = setTimeout(settle, waitMs)
      signal.addEventListener('abort', settle)
      this.#waiters.add(settle)
    })
  }
}
