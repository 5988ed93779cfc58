import { BatchEncoder } from '#core/codec/batch-codec'
import { createColumns } from '#core/model/columns'
import { PRIORITY } from '#core/model/priority'
import { QUALITY } from '#core/model/quality'
import type { SeriesDescriptor } from '#core/model/series'
import { SeriesTable } from '#core/model/series-table'
import type { HandlerEntry, HandlerRequest } from '#core/protocol/handler-messages'
import type { BatchSample } from './batches.js'

/** The samples as one sealed batch. */
export function encodeBatch(samples: readonly BatchSample[]): Uint8Array {
  const table = new SeriesTable()
  const columns = createColumns(samples.length)
  for (const [row, sample] of samples.entries()) {
    const { device = 'd', channel = 'c', value, takenAtUs, sequence = 0, quality = 'good' } = sample
    const series: SeriesDescriptor = { device, channel, unit: 'u' }
    columns.series[row] = table.intern(series)
    columns.values[row] = value
    columns.takenAtUs[row] = takenAtUs
    columns.sequences[row] = sequence
    columns.qualities[row] = QUALITY[quality]
    columns.priorities[row] = PRIORITY.normal
  }
  columns.count = samples.length
  const rows = Uint32Array.from(samples, (_, row) => row)
  const header = { producer: 'test', epoch: 1, seq: 1 }
  return new BatchEncoder().encode(header, table.descriptors, columns, rows, 0, rows.length, 2 ** 30).body
}

/** A request with these bodies packed one after another. */
export function requestOf(
  bodies: readonly Uint8Array[],
  names: readonly string[],
  more: Partial<HandlerRequest> & { handler?: string } = {},
): HandlerRequest {
  const { handler = '*', ...request } = more
  const packed = new Uint8Array(bodies.reduce((sum, { length }) => sum + length, 0))
  let offset = 0
  const entries = bodies.map((body, index): HandlerEntry => {
    const entry = { id: `${index}`, correlationId: names[index], handler, offset, length: body.length }
    packed.set(body, offset)
    offset += body.length
    return entry
  })
  return { shard: 0, checkpoint: false, ...request, entries, bodies: packed }
}
