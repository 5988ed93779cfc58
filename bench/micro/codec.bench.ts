/** Bytes, encoding and decoding of batches, against the ways one would take without a columnar format. */
import { Packr } from 'msgpackr'
import { BatchDecoder, BatchEncoder } from '#core/codec/batch-codec'
import type { DecodedBatch } from '#core/model/batch'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { SeriesDescriptor } from '#core/model/series'
import type { Bench, BenchRow } from '../bench.js'

const SAMPLES = 704
const SERIES = 8
const HEADER = { producer: 'hub-1.r0', epoch: 1_700_000_000_000_000, seq: 1 }

/** One sample as programs without columns send it. */
interface SampleObject {
  device: string
  channel: string
  unit: string
  value: number
  takenAtUs: number
  sequence: number
  quality: number
}

interface Workload {
  title: string
  series: SeriesDescriptor[]
  columns: SampleColumns
  objects: SampleObject[]
}

/** `total` is not timed: it proves that what was decoded is what was encoded. */
interface Contender {
  name: string
  encode(): Uint8Array | string
  decode(body: Uint8Array | string): unknown
  total(decoded: unknown): Total
}

/** Samples, and the sum of their values, times and sequences. */
interface Total {
  samples: number
  sum: number
}

export const bench: Bench = {
  title: `Batch codec, ${SAMPLES} samples of ${SERIES} series`,
  async run(mode) {
    const rounds = mode === 'short' ? 7 : 21
    return [workload('8 channels', 1), workload('8 devices', SERIES)].flatMap((load) => compare(load, rounds))
  },
}

/** Samples every millisecond or so: one device with eight channels, or eight devices with one. */
function workload(title: string, devices: number): Workload {
  const channels = SERIES / devices
  const series = Array.from({ length: SERIES }, (_, id) => ({
    device: `sensor-${Math.floor(id / channels)}`,
    channel: `channel-${id % channels}`,
    unit: 'celsius',
  }))
  const columns = createColumns(SAMPLES)
  columns.count = SAMPLES
  for (let row = 0; row < SAMPLES; row++) {
    const reading = Math.floor(row / channels)
    columns.series[row] = row % SERIES
    columns.values[row] = 20 + Math.sin(row / 50)
    columns.takenAtUs[row] = HEADER.epoch + 1000 * reading + ((reading * 7919) % 97)
    columns.sequences[row] = Math.floor(reading / devices)
  }
  const objects = Array.from({ length: SAMPLES }, (_, row) => ({
    ...series[columns.series[row]],
    value: columns.values[row],
    takenAtUs: columns.takenAtUs[row],
    sequence: columns.sequences[row],
    quality: 0,
  }))
  return { title, series, columns, objects }
}

function compare(load: Workload, rounds: number): BenchRow[] {
  const contenders = [columnar(load), json(load), msgpack(load, false), msgpack(load, true)]
  const expected = totalOf(load.objects)
  const figures = contenders.map(() => ({ bytes: 0, encode: [] as number[], decode: [] as number[] }))
  // Round by round over all contenders: what slows the machine meanwhile slows them all.
  for (let round = 0; round <= rounds; round++) {
    contenders.forEach((contender, at) => {
      const measured = measure(contender, expected)
      if (round === 0) return // warms up
      figures[at].bytes = measured.bytes
      figures[at].encode.push(measured.encode)
      figures[at].decode.push(measured.decode)
    })
  }
  return contenders.flatMap(({ name }, at) => [
    { contender: `${load.title}: ${name}`, unit: 'bytes/sample', value: figures[at].bytes },
    { contender: '  encode', unit: 'M samples/s', value: median(figures[at].encode), note: `median of ${rounds}` },
    { contender: '  decode', unit: 'M samples/s', value: median(figures[at].decode), note: 'count and sums checked' },
  ])
}

function measure(contender: Contender, expected: Total): { bytes: number; encode: number; decode: number } {
  let body: Uint8Array | string = ''
  const encode = rate(() => {
    body = contender.encode()
  })
  let decoded: unknown
  const decode = rate(() => {
    decoded = contender.decode(body)
  })
  const { samples, sum } = contender.total(decoded)
  if (samples !== expected.samples || Math.abs(sum - expected.sum) > 1e-3) {
    throw new Error(`${contender.name}: ${samples} samples of sum ${sum}, not ${expected.samples} of ${expected.sum}.`)
  }
  return { bytes: body.length / SAMPLES, encode, decode }
}

/** Million samples per second of `batch`, called for some 40 ms. */
function rate(batch: () => void): number {
  const start = performance.now()
  let batches = 0
  let elapsedMs = 0
  while (elapsedMs < 40) {
    for (let i = 0; i < 16; i++) batch()
    batches += 16
    elapsedMs = performance.now() - start
  }
  return (batches * SAMPLES) / elapsedMs / 1000
}

function columnar({ series, columns }: Workload): Contender {
  const encoder = new BatchEncoder()
  const decoder = new BatchDecoder()
  const rows = Uint32Array.from({ length: SAMPLES }, (_, row) => row)
  return {
    name: 'columnar batch',
    encode: () => encoder.encode(HEADER, series, columns, rows, 0, SAMPLES, 65_300).body,
    decode: (body) => decoder.decode(body as Uint8Array),
    total: (decoded) => {
      const { count, values, takenAtUs, sequences } = decoded as DecodedBatch
      const objects = Array.from({ length: count }, (_, at) => {
        return { value: values[at], takenAtUs: takenAtUs[at], sequence: sequences[at] }
      })
      return totalOf(objects)
    },
  }
}

function json({ objects }: Workload): Contender {
  return {
    name: 'JSON of objects',
    encode: () => JSON.stringify(objects),
    decode: (body) => JSON.parse(body as string),
    total: (decoded) => totalOf(decoded as SampleObject[]),
  }
}

function msgpack({ objects }: Workload, useRecords: boolean): Contender {
  const packr = new Packr({ useRecords })
  return {
    name: useRecords ? 'msgpackr of records' : 'msgpackr of objects',
    encode: () => packr.pack(objects),
    decode: (body) => packr.unpack(body as Uint8Array),
    total: (decoded) => totalOf(decoded as SampleObject[]),
  }
}

/** Times count from the epoch of the batch, lest they drown the rest. */
function totalOf(objects: readonly Pick<SampleObject, 'value' | 'takenAtUs' | 'sequence'>[]): Total {
  let sum = 0
  for (const { value, takenAtUs, sequence } of objects) sum += value + (takenAtUs - HEADER.epoch) + sequence
  return { samples: objects.length, sum }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1]
}
