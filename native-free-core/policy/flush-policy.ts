/** Why a batch was closed: enough samples, the byte limit of the encoder, the age of its first sample, or the end. */
export const CLOSE_REASONS = ['samples', 'bytes', 'age', 'stop'] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

export interface FlushLimits {
  /** Samples that are taken at most, at least 1. */
  maxSamples: number
  /**
   * Least time between two batches that are not full, and so the longest wait of a sample. Milliseconds; 0: no wait. Read anew
   * each time.
   */
  readonly maxAgeMs: number
}

/**
 * Decides when waiting samples are worth a batch: when they fill one, or `maxAgeMs` after the last batch. So a sample that
 * comes after a pause goes at once, and small batches are bounded in number. Bytes are the encoder's business: it alone
 * knows them.
 *
 * Time is told, not asked, so that a look costs no call of a clock more than its caller makes anyway.
 */
export class FlushPolicy {
  readonly #limits: FlushLimits
  /** When the oldest waiting sample was seen first. */
  #sinceMs: number | undefined
  #takenMs = Number.NEGATIVE_INFINITY

  constructor(limits: FlushLimits) {
    this.#limits = limits
  }

  /**
   * Call whenever the backlog may have changed.
   *
   * @param backlog samples waiting
   * @param nowMs monotonic
   * @returns why to take samples now; `undefined`: wait for more, see {@link waitMs}
   */
  look(backlog: number, nowMs: number): 'samples' | 'age' | undefined {
    if (backlog === 0) {
      this.#sinceMs = undefined
      return undefined
    }
    if (backlog >= this.#limits.maxSamples) return 'samples'
    this.#sinceMs ??= nowMs
    return this.waitMs(nowMs) <= 0 ? 'age' : undefined
  }

  /** Call when samples were taken: what still waits begins its age anew. */
  taken(nowMs: number): void {
    this.#sinceMs = undefined
    this.#takenMs = nowMs
  }

  /** How long until age closes what waits; 0 or less: now. Infinite while nothing waits. */
  waitMs(nowMs: number): number {
    if (this.#sinceMs === undefined) return Number.POSITIVE_INFINITY
    return Math.max(this.#sinceMs, this.#takenMs + this.#limits.maxAgeMs) - nowMs
  }
}
