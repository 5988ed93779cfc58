/** Parts of a decoded batch: the same samples in the same order, some left out. */
import type { DecodedBatch } from '../model/batch.js'
import { createColumns } from '../model/columns.js'
import type { ItemRange } from '../policy/bisection.js'
import type { BatchEncoder } from './batch-encoder.js'

/** A part of a batch that was within its bounds is within them, too. */
const NO_BOUND = 2 ** 30

/** All samples of a batch, by index. */
export function allRows(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, row) => row)
}

/**
 * The batch with only these samples; its columns are copies, `series` stays whole.
 *
 * @param rows indices, ascending
 */
export function pickRows(batch: DecodedBatch, rows: Uint32Array): DecodedBatch {
  const raw = new Map<number, Uint8Array>()
  if (batch.raw.size > 0) {
    for (const [place, row] of rows.entries()) {
      const bytes = batch.raw.get(row)
      if (bytes !== undefined) raw.set(place, bytes)
    }
  }
  return {
    ...batch,
    count: rows.length,
    seriesIndex: Uint32Array.from(rows, (row) => batch.seriesIndex[row]),
    values: Float64Array.from(rows, (row) => batch.values[row]),
    takenAtUs: Float64Array.from(rows, (row) => batch.takenAtUs[row]),
    sequences: Uint32Array.from(rows, (row) => batch.sequences[row]),
    qualities: Uint8Array.from(rows, (row) => batch.qualities[row]),
    raw,
  }
}

/** Seals these samples as a batch of their own, with the header of the one they come from. @param rows ascending */
export function encodeRows(encoder: BatchEncoder, batch: DecodedBatch, rows: Uint32Array): Uint8Array {
  const columns = createColumns(batch.count)
  columns.count = batch.count
  columns.series.set(batch.seriesIndex)
  columns.values.set(batch.values)
  columns.takenAtUs.set(batch.takenAtUs)
  columns.sequences.set(batch.sequences)
  columns.qualities.set(batch.qualities)
  for (const [row, bytes] of batch.raw) columns.raw.set(row, bytes)
  const { producer, epoch, seq } = batch
  const header = { producer, epoch, seq }
  return encoder.encode(header, batch.series, columns, rows, 0, rows.length, NO_BOUND).body
}

/**
 * Cuts between readings (samples of one device taken together) as long as there are two of them, as near to the middle as
 * that allows, and inside of one only when it is alone: handlers that look at the channels of a reading side by side see
 * it whole.
 *
 * @param rows the samples that a range counts
 */
export function cutBetweenReadings(batch: DecodedBatch, rows: Uint32Array): (range: ItemRange) => number {
  return ({ from, to }) => {
    const middle = from + ((to - from) >> 1)
    for (let step = 0; middle - step > from || middle + step < to; step++) {
      if (middle - step > from && isBorder(batch, rows, middle - step)) return middle - step
      if (middle + step < to && isBorder(batch, rows, middle + step)) return middle + step
    }
    return middle
  }
}

function isBorder({ series, seriesIndex, takenAtUs, sequences }: DecodedBatch, rows: Uint32Array, at: number): boolean {
  const row = rows[at]
  const before = rows[at - 1]
  return (
    takenAtUs[row] !== takenAtUs[before] ||
    sequences[row] !== sequences[before] ||
    series[seriesIndex[row]].device !== series[seriesIndex[before]].device
  )
}
