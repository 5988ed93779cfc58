import type { Quality } from '#core/model/quality'
import { isSuspect } from './suspect.js'

/** Why a filter lets nothing out. */
export type FilterReason = 'skip_first' | 'rate_limit' | 'filter'

/**
 * One step after the checks. A suspect value never enters a filter's memory, and what a filter makes of good values never
 * has a suspect one in it.
 */
export interface ChannelFilter {
  /** What a value that does not come out is counted as. */
  readonly reason: FilterReason
  /** @returns what comes out; `undefined`: nothing */
  apply(value: number, takenAtUs: number, quality: Quality): number | undefined
  /** Forgets: the device was opened anew. */
  reset(): void
}

/** Arithmetic, the same for good and suspect values: a suspect one is in the channel's scale too. */
export class ArithmeticFilter implements ChannelFilter {
  readonly reason = 'filter'
  readonly #compute: (value: number) => number

  constructor(compute: (value: number) => number) {
    this.#compute = compute
  }

  apply(value: number): number | undefined {
    const result = this.#compute(value)
    return Number.isFinite(result) ? result : undefined
  }

  reset(): void {}
}

/** Keeps values within bounds. A suspect value is let through as it is: within the bounds it would look harmless. */
export class ClampFilter implements ChannelFilter {
  readonly reason = 'filter'
  readonly #min: number
  readonly #max: number

  constructor(min: number, max: number) {
    this.#min = min
    this.#max = max
  }

  apply(value: number, _takenAtUs: number, quality: Quality): number {
    return isSuspect(quality) ? value : Math.min(this.#max, Math.max(this.#min, value))
  }

  reset(): void {}
}

/** Drops the first values after the device was opened, whatever their quality: sensors that must settle. */
export class SkipFirstFilter implements ChannelFilter {
  readonly reason = 'skip_first'
  readonly #count: number
  #left: number

  constructor(count: number) {
    this.#count = count
    this.#left = count
  }

  apply(value: number): number | undefined {
    if (this.#left === 0) return value
    this.#left--
    return undefined
  }

  reset(): void {
    this.#left = this.#count
  }
}

/** Lets one value out per interval of the samples' own time; a value of another quality than the last comes out at once. */
export class RateLimitFilter implements ChannelFilter {
  readonly reason = 'rate_limit'
  readonly #intervalUs: number
  #lastUs = Number.NEGATIVE_INFINITY
  #lastQuality: Quality = 0

  constructor(perSecond: number) {
    // Samples that are due a little early, by rounding of their stamps, are not left out.
    this.#intervalUs = 1_000_000 / perSecond - 1
  }

  apply(value: number, takenAtUs: number, quality: Quality): number | undefined {
    const sinceUs = takenAtUs - this.#lastUs
    // A clock that went back must not silence the channel.
    if (sinceUs >= 0 && sinceUs < this.#intervalUs && quality === this.#lastQuality) return undefined
    this.#lastUs = takenAtUs
    this.#lastQuality = quality
    return value
  }

  reset(): void {
    this.#lastUs = Number.NEGATIVE_INFINITY
  }
}
