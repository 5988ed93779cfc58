/** Looks whether it gets what it waits for. */
interface Waiter {
  look(): void
}

/**
 * How many entries may be leased and not settled, over all shards of the process. A shard reserves before it leases, and
 * gives back what did not come and what is settled.
 */
export class InFlightBudget {
  readonly #max: number
  #used = 0
  #shards = 0
  readonly #waiters = new Set<Waiter>()

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

  /** What is given back goes to those who wait in {@link room}, first come, first served. */
  free(entries: number): void {
    this.#used -= entries
    if (entries > 0) for (const waiter of [...this.#waiters]) waiter.look()
  }

  /**
   * Waits for a reservation, for `waitMs` or until the signal is aborted. Whoever came before is served before: a shard
   * that gives back and reserves anew in a circle would else keep all others out.
   *
   * @returns the number granted: 0 .. `wanted`; a caller that wants nothing is told when something is given back
   */
  room(wanted: number, waitMs: number, signal: AbortSignal): Promise<number> {
    if (signal.aborted) return Promise.resolve(0)
    return new Promise((resolve) => {
      const settle = (granted: number) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#waiters.delete(waiter)
        resolve(granted)
      }
      const end = () => settle(0)
      const look = () => {
        const granted = this.reserve(wanted)
        if (granted > 0 || wanted <= 0) settle(granted)
      }
      const waiter: Waiter = { look }
      const timer = setTimeout(end, waitMs)
      signal.addEventListener('abort', end)
      this.#waiters.add(waiter)
    })
  }
}
