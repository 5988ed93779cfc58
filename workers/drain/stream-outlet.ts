import { BatchEncoder } from '#core/codec/batch-codec'
import { batchId } from '#core/model/batch'
import type { SampleColumns } from '#core/model/columns'
import type { Priority } from '#core/model/priority'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { Outlet, OutletOutcome, Parcel } from './outlet.js'
import { RowSorter } from './row-sorter.js'
import type { SeriesCatalogue } from './series-catalogue.js'

/** A sealed batch as a parcel. */
export type BatchParcel = SealedBatch & Parcel

/** A `BatchProducer`, or one with a spool before it. */
export interface BatchStore {
  readonly shards: number
  append(batches: readonly SealedBatch[]): Promise<OutletOutcome[]>
  close(): Promise<void>
}

export interface StreamOutletOptions {
  store: BatchStore
  catalogue: SeriesCatalogue
  producer: string
  epoch: number
  /** Most samples of a batch. */
  maxSamples: number
  /** Most bytes of a batch. */
  maxBytes: number
  /** Most rows of a chunk. */
  capacity: number
}

/** Cuts chunks into sealed batches by shard and priority, for a {@link BatchStore}. */
export class StreamOutlet implements Outlet<BatchParcel> {
  readonly shards: number
  readonly #options: StreamOutletOptions
  readonly #encoder = new BatchEncoder()
  readonly #sorter: RowSorter

  constructor(options: StreamOutletOptions) {
    this.#options = options
    this.shards = options.store.shards
    this.#sorter = new RowSorter(options.capacity, this.shards)
  }

  /** A batch may end anywhere. */
  wholeRows({ count }: SampleColumns): number {
    return count
  }

  cut(columns: SampleColumns, seqs: Float64Array): BatchParcel[] {
    const { producer, epoch, maxSamples, maxBytes, catalogue } = this.#options
    const { series, shardOfSeries } = catalogue
    const parcels: BatchParcel[] = []
    for (const { shard, priority, from, to } of this.#sorter.sort(columns, shardOfSeries)) {
      for (let row = from; row < to; ) {
        const header = { producer, epoch, seq: ++seqs[shard] }
        const end = Math.min(to, row + maxSamples)
        const encoded = this.#encoder.encode(header, series, columns, this.#sorter.rows, row, end, maxBytes)
        const { body, next, samples, firstTakenAtUs } = encoded
        parcels.push({
          ...header,
          shard,
          priority: priority as Priority,
          handler: '*',
          samples,
          firstTakenAtUs,
          body,
          bytes: body.length,
          closedBy: next < end ? 'bytes' : end < to ? 'samples' : undefined,
        })
        row = next
      }
    }
    return parcels
  }

  append(parcels: readonly BatchParcel[]): Promise<OutletOutcome[]> {
    return this.#options.store.append(parcels)
  }

  idOf(parcel: BatchParcel): string {
    return batchId(parcel, parcel.shard)
  }

  close(): Promise<void> {
    return this.#options.store.close()
  }
}
