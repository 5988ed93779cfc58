import { type ColumnWidth, widthOfRange } from './batch-wire.js'

/**
 * The least and the greatest of a column's numbers while they come one by one, and how wide the column gets when the
 * least is subtracted from all (frame of reference). The last number can be taken back, once.
 */
export class DeltaRange {
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #minBefore = Number.POSITIVE_INFINITY
  #maxBefore = Number.NEGATIVE_INFINITY
  /** 8 also when a number is not exact, beyond +-(2^53 - 1). */
  width: ColumnWidth = 0

  clear(): void {
    this.#min = Number.POSITIVE_INFINITY
    this.#max = Number.NEGATIVE_INFINITY
    this.width = 0
  }

  add(delta: number): void {
    this.#minBefore = this.#min
    this.#maxBefore = this.#max
    if (delta >= this.#min && delta <= this.#max) return
    if (delta < this.#min) this.#min = delta
    if (delta > this.#max) this.#max = delta
    this.#measure()
  }

  takeBack(): void {
    this.#min = this.#minBefore
    this.#max = this.#maxBefore
    this.#measure()
  }

  /** The least number; 0 when there is none. */
  get least(): number {
    return this.#min > this.#max ? 0 : this.#min
  }

  #measure(): void {
    const isExact = this.#min >= Number.MIN_SAFE_INTEGER && this.#max <= Number.MAX_SAFE_INTEGER
    if (this.#min > this.#max) this.width = 0
    else this.width = isExact ? widthOfRange(this.#max - this.#min) : 8
  }
}
