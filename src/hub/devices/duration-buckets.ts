/** How long things took, by fixed bounds: a few counters a device, where a full histogram would take 180 KB. */
export class DurationBuckets {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #count = 0
  #sumSeconds = 0

  /** @param bounds upper bounds in seconds, ascending */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  record(seconds: number): void {
    this.#count++
    this.#sumSeconds += seconds
    const bucket = this.#bounds.findIndex((bound) => seconds <= bound)
    if (bucket !== -1) this.#counts[bucket]++
  }

  /** As Prometheus has them: `counts[i]` is how many were at most `bounds[i]`. */
  cumulative(): { counts: number[]; count: number; sum: number } {
    let sum = 0
    const counts = this.#counts.map((count) => {
      sum += count
      return sum
    })
    return { counts, count: this.#count, sum: this.#sumSeconds }
  }
}
