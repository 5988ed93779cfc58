import type { Quality } from '#core/model/quality'

/**
 * Lets a value out when it differs enough from the last one that came out, when its quality changed, and at the latest
 * after a heartbeat, so that silence never means "unchanged".
 */
export class Deadband {
  readonly #width: number
  readonly #heartbeatUs: number
  #lastValue = Number.NaN
  #lastUs = 0
  #lastQuality: Quality = 0

  /** @param width differences up to this are none, in the channel's unit */
  constructor(width: number, heartbeatMs: number) {
    this.#width = width
    this.#heartbeatUs = heartbeatMs * 1000
  }

  lets(value: number, takenAtUs: number, quality: Quality): boolean {
    const sinceUs = takenAtUs - this.#lastUs
    const isSame = Math.abs(value - this.#lastValue) <= this.#width && quality === this.#lastQuality
    if (isSame && sinceUs >= 0 && sinceUs < this.#heartbeatUs) return false
    this.#lastValue = value
    this.#lastUs = takenAtUs
    this.#lastQuality = quality
    return true
  }

  /** The next value comes out, whatever it is. */
  reset(): void {
    this.#lastValue = Number.NaN
  }
}
