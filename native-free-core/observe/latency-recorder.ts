import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
  type JsHistogram,
} from 'hdr-histogram-js'

/** An hour: what took longer says that clocks or recordings, not the pipeline, are old. */
const MAX_US = 3_600_000_000

/**
 * Latencies in microseconds, kept as an HdrHistogram with three significant digits. Not shared between threads: encoded
 * histograms travel and are added up.
 */
export class LatencyRecorder {
  #histogram = newHistogram()
  #outOfRange = 0

  /** Latencies below 0 or above an hour: counted, not recorded (clocks apart, or replayed recordings). */
  get outOfRange(): number {
    return this.#outOfRange
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  get meanUs(): number {
    return this.count === 0 ? 0 : this.#histogram.mean
  }

  /** @param times how many samples had this latency, at least 1 */
  record(latencyUs: number, times = 1): void {
    if (latencyUs >= 0 && latencyUs <= MAX_US) this.#histogram.recordValueWithCount(Math.round(latencyUs), times)
    else this.#outOfRange += times
  }

  /** @param percentile 0..100 @returns microseconds, 0 when nothing was recorded */
  percentileUs(percentile: number): number {
    return this.count === 0 ? 0 : this.#histogram.getValueAtPercentile(percentile)
  }

  /**
   * How many were at most as long as each bound, as a Prometheus histogram counts them.
   *
   * @param boundsUs ascending
   * Cost: a walk over some ten thousand counters.
   */
  countsUpTo(boundsUs: readonly number[]): number[] {
    const histogram = this.#histogram as JsHistogram
    const counts: number[] = []
    let index = 0
    let sum = 0
    for (const boundUs of boundsUs) {
      const last = histogram.countsArrayIndex(Math.min(boundUs, MAX_US))
      for (; index <= last; index++) sum += histogram.getCountAtIndex(index)
      counts.push(sum)
    }
    return counts
  }

  /** Adds what another recorder's {@link take} gave. */
  add(encoded: string): void {
    this.#histogram.add(decodeFromCompressedBase64(encoded, 32, false))
  }

  /** Adds what another recorder of this thread holds; that keeps it. */
  addAll(other: LatencyRecorder): void {
    this.#histogram.add(other.#histogram as JsHistogram)
  }

  /** The histogram so far in HdrHistogram's compressed form, and starts anew; `undefined` when it is empty. */
  take(): string | undefined {
    if (this.count === 0) return undefined
    const encoded = encodeIntoCompressedBase64(this.#histogram)
    this.#histogram.reset()
    return encoded
  }

  /** HdrHistogram's percentile table in milliseconds: the text of an `.hgrm` file. */
  toHgrm(): string {
    return this.#histogram.outputPercentileDistribution(5, 1000)
  }
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MAX_US,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    useWebAssembly: false,
  })
}
