/** Why a batch was closed: enough samples, the byte limit of the encoder, the age of its first sample, or the end. */
export const CLOSE_REASONS = ['samples', 'bytes', 'age', 'stop'] as const
export type CloseReason = (typeof CLOSE_REASONS)[number]

export interface FlushLimits {
  /** Samples that are taken at most, at least 1. */
  maxSamples: number
  /** How long the first sample waits for others, milliseconds; 0: not at all. */
  maxAgeMs: number
}

/**
 * Decides when waiting samples are worth a batch. Bytes are the encoder's business: it alone knows them.
 *
 * Time is told, not asked, so that a look costs no call of a clock more than its caller makes anyway.
 */
export class FlushPolicy {
  readonly #limits: FlushLimits
  /** When the oldest waiting sample was seen first. */
  #sinceMs: number | undefined

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
    return nowMs - this.#sinceMs >= this.#limits.maxAgeMs ? 'age' : undefined
  }

  /** Call when samples were taken: what still waits begins its age anew. */
  taken(): void {
    this.#sinceMs = undefined
  }

  /** How long until age closes what waits; 0 or less: now. Infinite while nothing waits. */
  waitMs(nowMs: number): number {
    return this.#sinceMs === undefined ? Number.POSITIVE_INFINITY : this.#sinceMs + this.#limits.maxAgeMs - nowMs
  }
}
