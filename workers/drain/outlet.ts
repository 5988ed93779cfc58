import type { SampleColumns } from '#core/model/columns'
import type { AppendOutcome } from '#core/transport/batch-stream'

/** What a chunk is cut into and sent as: a sealed batch, or tasks for a list. */
export interface Parcel {
  readonly shard: number
  /** From 1, without gaps, per shard. */
  readonly seq: number
  /** See `SealedBatch.after`. */
  after?: number
  readonly samples: number
  readonly bytes: number
  /** The limit that closed it; absent: it ends with its chunk. */
  readonly closedBy?: 'samples' | 'bytes' | undefined
}

/** What became of a parcel; `spooled`: it is on this machine's disk and goes to the store later, in order. */
export type OutletOutcome = AppendOutcome | { kind: 'spooled' }

/** Where a drain worker's chunks go. Thread: the drain worker's. */
export interface Outlet<P extends Parcel = Parcel> {
  /** Shards that parcels are numbered in, 1..64. */
  readonly shards: number
  /**
   * How many of the drained rows to cut, so that nothing is torn that belongs together; at least 1.
   *
   * @param isFull more rows may follow in the ring
   */
  wholeRows(columns: SampleColumns, isFull: boolean): number
  /**
   * Cuts rows `0..count-1` into parcels, ascending by shard and seq. Deterministic: a successor gets the same from the
   * same rows and numbers.
   *
   * @param seqs by shard: the last seq used; advanced
   */
  cut(columns: SampleColumns, seqs: Float64Array): P[]
  /** As `BatchProducer.append`. */
  append(parcels: readonly P[]): Promise<OutletOutcome[]>
  /** Correlation id for logs. */
  idOf(parcel: P): string
  close(): Promise<void>
}
