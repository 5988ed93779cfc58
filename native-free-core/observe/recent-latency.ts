import type { Clock } from '../time/clock.js'
import { LatencyRecorder } from './latency-recorder.js'

const SLICES = 6
/** Merging the slices costs a walk over some ten thousand counters each. */
const MERGE_INTERVAL_MS = 250

/**
 * Latencies of the last minute, to within a sixth: what an operator wants to see now, whatever the start or an outage
 * hours ago was like. Not shared between threads.
 */
export class RecentLatency {
  readonly #clock: Clock
  readonly #sliceMs: number
  /** The newest last. */
  #slices = [new LatencyRecorder()]
  #sliceEndMs: number
  #merged = new LatencyRecorder()
  #mergedAtMs = Number.NEGATIVE_INFINITY

  /** @param windowMs how far back, at most */
  constructor(clock: Clock, windowMs = 60_000) {
    this.#clock = clock
    this.#sliceMs = windowMs / SLICES
    this.#sliceEndMs = clock.monotonicMs() + this.#sliceMs
  }

  /** See {@link LatencyRecorder.record}. */
  record(latencyUs: number, times = 1): void {
    this.#newest().record(latencyUs, times)
  }

  /** See {@link LatencyRecorder.add}. */
  add(encoded: string): void {
    this.#newest().add(encoded)
  }

  /** @param percentile 0..100 @returns microseconds, at most a quarter of a second old; 0 when nothing was recorded */
  percentileUs(percentile: number): number {
    return this.#merge().percentileUs(percentile)
  }

  get meanUs(): number {
    return this.#merge().meanUs
  }

  #newest(): LatencyRecorder {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs >= this.#sliceEndMs) {
      const passed = 1 + Math.floor((nowMs - this.#sliceEndMs) / this.#sliceMs)
      this.#sliceEndMs += passed * this.#sliceMs
      const begun = Array.from({ length: Math.min(passed, SLICES) }, () => new LatencyRecorder())
      this.#slices = [...this.#slices, ...begun].slice(-SLICES)
    }
    return this.#slices[this.#slices.length - 1]
  }

  #merge(): LatencyRecorder {
    this.#newest()
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#mergedAtMs >= MERGE_INTERVAL_MS) {
      this.#mergedAtMs = nowMs
      this.#merged = new LatencyRecorder()
      for (const slice of this.#slices) if (slice.count > 0) this.#merged.addAll(slice)
    }
    return this.#merged
  }
}
