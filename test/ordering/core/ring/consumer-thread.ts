/** Program of the consuming thread of the ordering tests: checks every sample, answers with what it saw. */
import { parentPort, workerData } from 'node:worker_threads'
import { createColumns } from '#core/model/columns'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'

export interface ConsumerThreadData {
  ring: SharedArrayBuffer
  /** When given, one sample goes back through it for each that came. */
  answers?: SharedArrayBuffer
  samples: number
  waitAsync: boolean
}

export interface ConsumerThreadReport {
  samples: number
  checksum: number
  /** First thing that must not happen, if any did. */
  forbidden?: string
}

const { ring, answers, samples, waitAsync } = workerData as ConsumerThreadData
const consumer = new RingConsumer(ring)
const answering = answers === undefined ? undefined : new RingProducer(answers)
const rows = createColumns(512)
const report: ConsumerThreadReport = { samples: 0, checksum: 0 }
const keepAlive = setInterval(() => {}, 1000)

while (report.samples < samples && report.forbidden === undefined) {
  const woken = waitAsync ? await consumer.waitAsync(10_000) : consumer.wait(10_000)
  if (!woken) report.forbidden = 'a sleeper was not woken within 10 s'
  const count = consumer.drain(rows, 1 + (report.samples % 511))
  for (let row = 0; row < count; row++) checkRow(row)
  consumer.release(count)
}
clearInterval(keepAlive)
parentPort?.postMessage(report)

function checkRow(row: number): void {
  const sequence = report.samples++
  const raw = rows.raw.get(row)
  const isWhole =
    rows.sequences[row] === sequence &&
    rows.values[row] === sequence * 0.5 &&
    rows.takenAtUs[row] === 1e15 + sequence &&
    rows.series[row] === (sequence ^ 0x55) >>> 0 &&
    (raw === undefined || raw.every((byte) => byte === (sequence & 255)))
  if (!isWhole) report.forbidden ??= `sample ${sequence} came torn, twice or out of order as ${rows.sequences[row]}`
  report.checksum = (Math.imul(report.checksum, 31) + rows.values[row] * 2) | 0
  answering?.tryPublish({ series: 0, value: 0, takenAtUs: 0, sequence, quality: 0, priority: 1 })
}
