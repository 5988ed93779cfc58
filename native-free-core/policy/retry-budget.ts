export interface RetryBudgetOptions {
  /** Retries per first try, e.g. 0.1. */
  ratio: number
  /** Retries that are granted without any first try. Per second, above 0. */
  floorPerSecond: number
  /** Longest wait that is asked for, however much has failed. Milliseconds. */
  maxWaitMs: number
  /** Monotonic milliseconds. */
  nowMs: () => number
}

/** How long the rate of first tries is remembered, milliseconds. */
const MEMORY_MS = 10_000
/** Tokens that may be saved up: so much of a second's. Small, as all of them may be spent at once. */
const SAVED_SECONDS = 0.5

/**
 * Keeps retries to a share of the first tries (token bucket; Dean and Barroso's "retry budget", as in Finagle): when all
 * that is tried fails, it is not retries that keep it down. What the bucket does not cover is not refused but put later,
 * each retry behind the last: they come back in a row and not in a wave.
 */
export class RetryBudget {
  readonly #options: RetryBudgetOptions
  /** Below 0: retries that are planned ahead of what is earned. */
  #tokens: number
  #filledMs: number
  /** First tries, fading with {@link MEMORY_MS}. */
  #recent = 0

  constructor(options: RetryBudgetOptions) {
    this.#options = options
    this.#tokens = SAVED_SECONDS * options.floorPerSecond
    this.#filledMs = options.nowMs()
  }

  /** Retries that are planned ahead of what is earned so far. */
  get debt(): number {
    return Math.max(0, -this.#tokens)
  }

  /** Something was tried for the first time. */
  firstTry(): void {
    this.#fill()
    this.#recent++
    this.#earn(this.#options.ratio)
  }

  /**
   * Plans one retry.
   *
   * @param afterMs when it should come, by its own backoff
   * @param random in [0, 1)
   * @returns when it may come, in milliseconds from now; at least `afterMs`, unless that is above `maxWaitMs`
   */
  plan(afterMs: number, random: number): number {
    this.#fill()
    this.#tokens -= 1
    const { maxWaitMs } = this.#options
    const slotMs = this.#tokens >= 0 ? 0 : ((-this.#tokens - random) / this.#perSecond) * 1000
    if (slotMs < maxWaitMs) return Math.min(maxWaitMs, Math.max(afterMs, slotMs))
    // Further than anybody wants to wait: at least not all at the same moment.
    this.#tokens = -(maxWaitMs / 1000) * this.#perSecond
    return maxWaitMs * (0.5 + random / 2)
  }

  /** Retries per second that are earned at present. */
  get #perSecond(): number {
    const { floorPerSecond, ratio } = this.#options
    return floorPerSecond + (ratio * this.#recent * 1000) / MEMORY_MS
  }

  #fill(): void {
    const { nowMs, floorPerSecond } = this.#options
    const passedMs = nowMs() - this.#filledMs
    if (passedMs <= 0) return
    this.#filledMs += passedMs
    this.#recent *= Math.exp(-passedMs / MEMORY_MS)
    this.#earn((passedMs / 1000) * floorPerSecond)
  }

  #earn(tokens: number): void {
    this.#tokens = Math.min(this.#tokens + tokens, SAVED_SECONDS * this.#perSecond)
  }
}
