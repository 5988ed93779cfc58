import type { SeriesDescriptor } from './series.js'

/** What every stored batch says of itself. */
export interface BatchHeader {
  /** Who sealed it: hub id and ring, e.g. `hub-1.r0`. At most 128 characters. */
  producer: string
  /** Changes whenever the producer's numbering starts anew; microseconds since the Unix epoch at that start. */
  epoch: number
  /** Number of this batch within (producer, epoch, shard), from 1, without gaps. */
  seq: number
}

/**
 * A batch after decoding: columns of equal length in arrival order, ready for handlers.
 *
 * The typed arrays may be views of a buffer that the decoder reuses: valid until the next decode on the same thread.
 */
export interface DecodedBatch extends BatchHeader {
  /** Number of samples: the length of every column. */
  count: number
  /** The batch's own dictionary; `seriesIndex` points into it. */
  series: readonly SeriesDescriptor[]
  seriesIndex: Uint8Array | Uint16Array | Uint32Array
  /** In the series' unit; all finite (the decoder refuses others). */
  values: Float64Array
  /** Microseconds since the Unix epoch. */
  takenAtUs: Float64Array
  /** Number of the sample within its device; u32. */
  sequences: Uint32Array
  /** `Quality` per sample. */
  qualities: Uint8Array
  /** Raw bus bytes by sample index; most batches have none. */
  raw: ReadonlyMap<number, Uint8Array>
}

/** `producer.epoch.shard.seq`: the correlation id from reading to finding. */
export function batchId(header: BatchHeader, shard: number): string {
  return `${header.producer}.${header.epoch}.${shard}.${header.seq}`
}

/** Correlation id of one sample of a batch that is put aside as a batch of its own; of a part as well. */
export function partId(correlationId: string, row: number): string {
  return `${correlationId}#${row}`
}

/** Whether a correlation id is that of the batch, or of a part of it. */
export function isOfBatch(correlationId: string, batch: string): boolean {
  return correlationId === batch || correlationId.startsWith(`${batch}#`)
}

/** The batch that a correlation id is of, also when it is that of a part; `undefined` when it is of none. */
export function wholeBatchOf(correlationId: string): (BatchHeader & { shard: number }) | undefined {
  return parseBatchId(correlationId.replace(/(?:#\d+)+$/, ''))
}

/** The parts of a correlation id; `undefined` when it is none. Producers may have dots in their names. */
export function parseBatchId(id: string): (BatchHeader & { shard: number }) | undefined {
  const match = /^(.{1,128})\.(\d{1,16})\.(\d{1,2})\.(\d{1,16})$/s.exec(id)
  if (match === null) return undefined
  return { producer: match[1], epoch: Number(match[2]), shard: Number(match[3]), seq: Number(match[4]) }
}
