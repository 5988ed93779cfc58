import { QUALITY, type Quality } from '#core/model/quality'
import type { ChannelFilter } from './channel-filter.js'
import { isSuspect } from './suspect.js'

/** Most values of one window, whatever its time: 64 KiB a channel. */
const MAX_WINDOW = 4096

/**
 * What windows have in common: a suspect value passes as it is and stays out; good values and values that lack their
 * calibration are never in one window together.
 */
abstract class WindowFilter implements ChannelFilter {
  readonly reason = 'filter'
  #quality: Quality = QUALITY.good

  apply(value: number, takenAtUs: number, quality: Quality): number {
    if (isSuspect(quality)) return value
    if (quality !== this.#quality) {
      this.reset()
      this.#quality = quality
    }
    return this.result(value, takenAtUs)
  }

  protected abstract result(value: number, takenAtUs: number): number
  abstract reset(): void
}

/** The median of the last values; of an even number of them, at the start, the mean of the middle two. */
export class MedianFilter extends WindowFilter {
  readonly #size: number
  readonly #newestLast: number[] = []
  readonly #sorted: number[] = []

  /** @param size odd, so that the median is one of the values once there are so many */
  constructor(size: number) {
    super()
    this.#size = size
  }

  protected result(value: number): number {
    const sorted = this.#sorted
    if (this.#newestLast.length === this.#size) sorted.splice(positionIn(sorted, this.#newestLast.shift()!), 1)
    this.#newestLast.push(value)
    sorted.splice(positionIn(sorted, value), 0, value)
    const middle = sorted.length >> 1
    return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  reset(): void {
    this.#newestLast.length = 0
    this.#sorted.length = 0
  }
}

/** Index of the first that is not below the value. */
function positionIn(sorted: readonly number[], value: number): number {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >> 1
    if (sorted[middle] < value) from = middle + 1
    else to = middle
  }
  return from
}

/**
 * The mean of the values of the last so long, this one included, by the samples' own time; of the newest 4096 of them
 * when there are more.
 */
export class AverageFilter extends WindowFilter {
  readonly #windowUs: number
  readonly #times = new Float64Array(MAX_WINDOW)
  readonly #values = new Float64Array(MAX_WINDOW)
  #first = 0
  #count = 0

  constructor(windowMs: number) {
    super()
    this.#windowUs = windowMs * 1000
  }

  protected result(value: number, takenAtUs: number): number {
    // A value older than the last: the clock was set back, and the window is of another time.
    if (this.#count > 0 && takenAtUs < this.#times[this.#slot(this.#count - 1)]) this.reset()
    while (this.#count > 0 && (this.#count === MAX_WINDOW || this.#times[this.#first] <= takenAtUs - this.#windowUs)) {
      this.#first = this.#slot(1)
      this.#count--
    }
    const slot = this.#slot(this.#count++)
    this.#times[slot] = takenAtUs
    this.#values[slot] = value
    return this.#mean()
  }

  reset(): void {
    this.#first = 0
    this.#count = 0
  }

  /** Added up anew each time: a running sum would keep the rounding of every value that ever was large. */
  #mean(): number {
    let sum = 0
    for (let index = 0; index < this.#count; index++) sum += this.#values[this.#slot(index)]
    return sum / this.#count
  }

  #slot(index: number): number {
    return (this.#first + index) & (MAX_WINDOW - 1)
  }
}
