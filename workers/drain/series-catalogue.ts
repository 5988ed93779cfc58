import type { SampleColumns } from '#core/model/columns'
import type { SeriesDescriptor } from '#core/model/series'
import { shardOf } from '#core/model/shard'

/** The hub's series as a drain worker knows them, with the shard of each. Grows, never shrinks. */
export class SeriesCatalogue {
  readonly shards: number
  readonly #series: SeriesDescriptor[] = []
  #shardOfSeries = new Uint8Array(1024)
  #onGrowth: (() => void)[] = []

  /** @param shards 1..64 */
  constructor(shards: number, series: readonly SeriesDescriptor[]) {
    this.shards = shards
    this.add(0, series)
  }

  /** Indexed by series id. */
  get series(): readonly SeriesDescriptor[] {
    return this.#series
  }

  /** Indexed by series id; replaced when the catalogue grows. */
  get shardOfSeries(): Uint8Array {
    return this.#shardOfSeries
  }

  /** @param from id of the first of `series`; those known already are skipped */
  add(from: number, series: readonly SeriesDescriptor[]): void {
    for (const descriptor of series.slice(Math.max(0, this.#series.length - from))) {
      const id = this.#series.push(descriptor) - 1
      if (id >= this.#shardOfSeries.length) {
        const larger = new Uint8Array(this.#shardOfSeries.length * 2)
        larger.set(this.#shardOfSeries)
        this.#shardOfSeries = larger
      }
      this.#shardOfSeries[id] = shardOf(descriptor.device, this.shards)
    }
    for (const resolve of this.#onGrowth.splice(0)) resolve()
  }

  /** The highest series id of the rows is known. */
  covers({ series, count }: SampleColumns): boolean {
    let highest = 0
    for (let row = 0; row < count; row++) if (series[row] > highest) highest = series[row]
    return highest < this.#series.length
  }

  /** Resolves when series were added. */
  grown(): Promise<void> {
    return new Promise((resolve) => this.#onGrowth.push(resolve))
  }
}
