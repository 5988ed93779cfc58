import { type Backoff, backoffWaitMs } from './backoff.js'

/** `closed`: all goes through; `open`: nothing does, until the wait is over; `half-open`: one try decides. */
export const BREAKER_STATES = ['closed', 'open', 'half-open'] as const
export type BreakerState = (typeof BREAKER_STATES)[number]

export interface CircuitBreakerOptions {
  /** Failures in a row that open it, at least 1; with fewer it stays closed, and only the wait applies. */
  failuresToOpen: number
  /** Wait after each failure in a row. */
  backoff: Backoff
  /** Monotonic milliseconds. */
  nowMs: () => number
  /** In [0, 1); default `Math.random`. */
  random?: () => number
}

/**
 * A circuit breaker (Nygard, "Release It!", 2007) whose open time is a backoff with full jitter: what is down is asked
 * less and less often, and once only, and what is up again is used in full from the first success on.
 */
export class CircuitBreaker {
  readonly #options: CircuitBreakerOptions
  #state: BreakerState = 'closed'
  #failures = 0
  #nextTryMs = Number.NEGATIVE_INFINITY
  #openings = 0

  constructor(options: CircuitBreakerOptions) {
    this.#options = options
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures
  }

  /** Times it went from closed to open. */
  get openings(): number {
    return this.#openings
  }

  /** Milliseconds until something may be tried; 0: now. */
  get waitMs(): number {
    return Math.max(0, this.#nextTryMs - this.#options.nowMs())
  }

  /** Call before a try: an open breaker whose wait is over becomes half-open. `false`: not yet. */
  mayTry(): boolean {
    if (this.waitMs > 0) return false
    if (this.#state === 'open') this.#state = 'half-open'
    return true
  }

  succeeded(): void {
    this.#state = 'closed'
    this.#failures = 0
    this.#nextTryMs = Number.NEGATIVE_INFINITY
  }

  failed(): void {
    const { backoff, failuresToOpen, nowMs, random = Math.random } = this.#options
    this.#failures++
    this.#nextTryMs = nowMs() + backoffWaitMs(backoff, this.#failures, random())
    if (this.#state === 'closed' && this.#failures < failuresToOpen) return
    if (this.#state === 'closed') this.#openings++
    this.#state = 'open'
  }
}
