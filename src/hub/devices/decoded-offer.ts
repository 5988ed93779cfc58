import type { Quality } from '#core/model/quality'
import type { DecodedReading } from '../drivers/contract/decoded.js'
import type { Channel } from '../drivers/contract/manifest.js'
import type { SampleSink } from '../drivers/driver.js'
import { roomOrAbort } from '../drivers/text/offer.js'

const GOOD: Quality = 0

/** Hands decoded readings to the sink: values of one quality together, those that were not measured left out. */
export class DecodedOffer {
  readonly #sink: SampleSink
  readonly #channels: readonly Channel[]
  /** By channel; `undefined`: the hub's limit of series is reached, counted there. */
  #series: (number | undefined)[] = []
  /** Of one quality; reused. */
  readonly #ids: number[] = []
  readonly #values: number[] = []

  constructor(sink: SampleSink, channels: readonly Channel[]) {
    this.#sink = sink
    this.#channels = channels
  }

  /**
   * @param endUs wall time that ages count from
   * @param raw travels with the first reading that is taken
   * @returns `false` when `signal` aborted before all was taken; the rest is counted as rejected
   */
  async offer(
    readings: readonly DecodedReading[],
    endUs: number,
    raw: Uint8Array | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    this.#intern()
    let bytes = raw
    for (const { ageUs, values, quality } of readings) {
      let left = this.#mask(values, quality)
      for (let level = 0 as Quality; left !== 0; level = (level + 1) as Quality) {
        if ((left & (1 << level)) === 0) continue
        left &= ~(1 << level)
        this.#collect(values, quality, level)
        while (!this.#sink.reading(endUs - ageUs, this.#ids, this.#values, level, bytes)) {
          if (!(await roomOrAbort(this.#sink, signal))) {
            this.#sink.reject('stopped_while_full')
            return false
          }
          this.#collect(values, quality, level)
        }
        bytes = undefined
      }
    }
    return true
  }

  #intern(): void {
    if (this.#series.length > 0) return
    this.#series = this.#channels.map(({ name, unit }) => this.#sink.series(name, unit))
  }

  /** A bit for each quality that occurs. */
  #mask(values: ArrayLike<number>, quality: readonly Quality[] | undefined): number {
    let mask = 0
    for (let i = 0; i < values.length; i++) {
      if (this.#series[i] !== undefined && !Number.isNaN(values[i])) mask |= 1 << (quality?.[i] ?? GOOD)
    }
    return mask
  }

  #collect(values: ArrayLike<number>, quality: readonly Quality[] | undefined, level: Quality): void {
    this.#ids.length = 0
    this.#values.length = 0
    for (let i = 0; i < values.length; i++) {
      const series = this.#series[i]
      if (series === undefined || Number.isNaN(values[i]) || (quality?.[i] ?? GOOD) !== level) continue
      this.#ids.push(series)
      this.#values.push(values[i])
    }
  }
}
