/** Waits no longer before it looks again, whatever it was told: timers cannot wait for more than 24 days. */
const MAX_WAIT_MS = 3_600_000
const RETRY_MS = 250

/** Puts delayed entries back into their streams when they are due. Runs while its shard is owned, whoever waits. */
export class DelayedPromoter {
  readonly #promote: () => Promise<number>
  #dueAtMs = Number.POSITIVE_INFINITY
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  #isStopped = false

  /** @param promote promotes what is due; gives the milliseconds until the next is, negative when none is delayed */
  constructor(promote: () => Promise<number>) {
    this.#promote = promote
  }

  /** Tells when the first delayed entry is due, as the store has just said; negative when none is delayed. */
  expect(dueInMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isStopped || dueInMs < 0) {
      this.#dueAtMs = Number.POSITIVE_INFINITY
      return
    }
    this.#dueAtMs = performance.now() + dueInMs
    // A millisecond late rather than early: the store would only say "in a moment".
    this.#timer = setTimeout(() => void this.promoteDue(), Math.min(dueInMs, MAX_WAIT_MS) + 1)
    this.#timer.unref()
  }

  /** Promotes what is due by now, if anything is. Never rejects: it tries again later. */
  async promoteDue(): Promise<void> {
    if (this.#isStopped) return
    if (performance.now() < this.#dueAtMs) {
      if (this.#dueAtMs !== Number.POSITIVE_INFINITY) this.expect(this.#dueAtMs - performance.now())
      return
    }
    this.#running ??= this.#promote()
      .then(
        (dueInMs) => this.expect(dueInMs),
        () => this.expect(RETRY_MS),
      )
      .finally(() => {
        this.#running = undefined
      })
    await this.#running
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }
}
