import type { DecodedBatch } from '#core/model/batch'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { SeriesDescriptor } from '#core/model/series'

/** One row of sample columns. */
export interface SampleRow {
  series: number
  value: number
  takenAtUs: number
  sequence: number
  quality: number
  raw?: Uint8Array | undefined
}

export function columnsOf(rows: readonly SampleRow[]): SampleColumns {
  const columns = createColumns(Math.max(1, rows.length))
  columns.count = rows.length
  rows.forEach((row, at) => {
    columns.series[at] = row.series
    columns.values[at] = row.value
    columns.takenAtUs[at] = row.takenAtUs
    columns.sequences[at] = row.sequence
    columns.qualities[at] = row.quality
    if (row.raw !== undefined) columns.raw.set(at, row.raw)
  })
  return columns
}

/** What a decoded batch says of one sample, with its series' names; fit for deep comparison. */
export interface NamedRow extends Omit<SampleRow, 'series' | 'raw'> {
  series: SeriesDescriptor
  raw: number[] | undefined
}

export function rowsOf(batch: DecodedBatch): NamedRow[] {
  return Array.from({ length: batch.count }, (_, at) => ({
    series: { ...batch.series[batch.seriesIndex[at]] },
    value: batch.values[at],
    takenAtUs: batch.takenAtUs[at],
    sequence: batch.sequences[at],
    quality: batch.qualities[at],
    raw: toNumbers(batch.raw.get(at)),
  }))
}

/** The same for rows that were put in, to compare with {@link rowsOf}. */
export function namedRows(rows: readonly SampleRow[], series: readonly SeriesDescriptor[]): NamedRow[] {
  return rows.map((row) => ({ ...row, series: { ...series[row.series] }, raw: toNumbers(row.raw) }))
}

/** `0..length-1`: all rows in order. */
export function allRows(length: number): Uint32Array {
  return Uint32Array.from({ length }, (_, at) => at)
}

/** Readings of `channels` channels by one device, 1 ms and some microseconds apart. */
export function steadyRows(readings: number, channels: number): SampleRow[] {
  return Array.from({ length: readings * channels }, (_, at) => {
    const reading = Math.floor(at / channels)
    return {
      series: at % channels,
      value: 20 + Math.sin(at / 10),
      takenAtUs: 1_700_000_000_000_000 + 1000 * reading + ((reading * 7919) % 89),
      sequence: reading,
      quality: 0,
    }
  })
}

export function channelsOf(device: string, channels: number): SeriesDescriptor[] {
  return Array.from({ length: channels }, (_, at) => ({ device, channel: `channel-${at}`, unit: 'celsius' }))
}

function toNumbers(bytes: Uint8Array | undefined): number[] | undefined {
  return bytes === undefined ? undefined : [...bytes]
}
