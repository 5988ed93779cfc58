/** What one call of the ring costs on one thread, both ends in turn, so that no cache line travels between cores. */
import { createColumns } from '#core/model/columns'
import type { Sample } from '#core/model/sample'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import type { Bench, BenchRow } from '../bench.js'

const SLOTS = 4096
const BATCH = 64
const CHANNELS = 4

/** Fills the ring of `SLOTS` slots. */
type Fill = (producer: RingProducer) => void

const sample: Sample = { series: 1, value: 1, takenAtUs: 1.7e15, sequence: 0, quality: 0, priority: 1 }
const series = Uint32Array.from({ length: CHANNELS }, (_, i) => i)
const values = new Float64Array(CHANNELS).fill(1)
const columns = createColumns(BATCH)
columns.values.fill(1)

const FILLS: Record<string, Fill> = {
  'publish one by one': (producer) => {
    while (producer.tryPublish(sample));
  },
  [`publish readings of ${CHANNELS}`]: (producer) => {
    while (producer.tryPublishReading(1.7e15, series, values, 0, 0, 1));
  },
  [`publish ${BATCH} at a time`]: (producer) => {
    while (producer.tryPublishMany(columns, 0, BATCH) > 0);
  },
}

export const bench: Bench = {
  title: 'Ring calls on one thread',
  async run(mode) {
    const rounds = mode === 'short' ? 5 : 15
    const fillsPerRound = 500
    const rows: BenchRow[] = []
    for (const [contender, fill] of Object.entries(FILLS)) {
      const figures = Array.from({ length: rounds + 1 }, () => measure(fill, fillsPerRound)).slice(1) // first warms up
      const note = `median of ${rounds}, count and sum checked`
      rows.push({ contender, unit: 'ns/sample', value: median(figures.map(({ publishNs }) => publishNs)), note })
      rows.push({
        contender: `  then drain and release ${BATCH}`,
        unit: 'ns/sample',
        value: median(figures.map(({ drainNs }) => drainNs)),
      })
    }
    return rows
  },
}

function measure(fill: Fill, fills: number): { publishNs: number; drainNs: number } {
  const memory = createRing({ slots: SLOTS, rawBytes: 0 })
  const producer = new RingProducer(memory)
  const consumer = new RingConsumer(memory)
  const rows = createColumns(BATCH)
  let publishNs = 0
  let drainNs = 0
  let count = 0
  let checksum = 0
  for (let i = 0; i < fills; i++) {
    const start = performance.now()
    fill(producer)
    const filled = performance.now()
    for (let taken = consumer.drain(rows); taken > 0; taken = consumer.drain(rows)) {
      count += taken
      for (let row = 0; row < taken; row++) checksum += rows.values[row]
      consumer.release(taken)
    }
    publishNs += (filled - start) * 1e6
    drainNs += (performance.now() - filled) * 1e6
  }
  if (count !== SLOTS * fills || checksum !== count) throw new Error(`${count} samples came with sum ${checksum}.`)
  return { publishNs: publishNs / count, drainNs: drainNs / count }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1]
}
