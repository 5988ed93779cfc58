/**
 * The same samples from a producer to an acknowledged consumer over one Redis, by us and by others:
 *
 * ```text
 *   TelemetryHub   columnar batches -> stream, lease -> decode -> fenced settlement
 *   BullMQ         one job a sample (as tasks are usually queued), and one job a batch (our batches in base64)
 *   the seed's way one JSON task per RPUSH, one BLPOP per task, no acknowledgement
 * ```
 * Producer and consumer share this process, so encoding, decoding and the client are part of every figure; of the last two
 * only the client and, for BullMQ, base64: they carry one body again and again, which shows what the queues alone cost. Slow
 * contenders carry fewer samples: the rate is what counts. Each warms up with a tenth first, and checks the count and the
 * sum that came.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { BatchDecoder, BatchEncoder } from '#core/codec/batch-codec'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { SeriesDescriptor } from '#core/model/series'
import type { SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { startRedis } from '#test/support/redis-server'
import type { Bench, BenchMode, BenchRow } from '../bench.js'

const SERIES: readonly SeriesDescriptor[] = Array.from({ length: 8 }, (_, index) => ({
  device: 'bench',
  channel: `channel-${index}`,
  unit: 'celsius',
}))
const TAKEN_AT_US = 1.7e15
const OURS = 'TelemetryHub'
const BATCH_SAMPLES = 700
const BATCH_BYTES = 8_100
/** Batches, or jobs, of one call, and calls in flight, as a hub has them. */
const WINDOW = 8
const CALLS = 8
/** What a consumer takes at once. */
const IN_FLIGHT = WINDOW * CALLS

/** Carries samples `0..samples-1` from producer to acknowledged consumer. */
type Carry = (samples: number, port: number) => Promise<Seen>
interface Seen {
  count: number
  sum: number
}

interface Contender {
  name: string
  /** Of the samples that the fast ones carry. */
  share: number
  carry: Carry
  /** What the sum has to be; absent: that of samples `0..samples-1`. */
  sumOf?: (samples: number) => number
}

const CONTENDERS: readonly Contender[] = [
  { name: OURS, share: 1, carry: (samples, port) => carryByBatches(samples, port, encodedBatches()) },
  {
    name: 'BullMQ, one job a batch',
    share: 1,
    carry: (samples, port) => carryByBullBatches(samples, port, encodedBatches()),
  },
  { name: 'BullMQ, one job a sample', share: 1 / 200, carry: carryByBullJobs },
  { name: 'RPUSH and BLPOP, one task a sample', share: 1 / 200, carry: carryByLists },
  {
    name: `${OURS}, ready bodies`,
    share: 1,
    carry: (samples, port) => carryByBatches(samples, port, readyBodies()),
    sumOf: sumOfReady,
  },
  {
    name: 'BullMQ, ready bodies, one job each',
    share: 1,
    carry: (samples, port) => carryByBullBatches(samples, port, readyBodies()),
    sumOf: sumOfReady,
  },
]

export const bench: Bench = {
  title: 'From producer to acknowledged consumer over one Redis',
  async run(mode: BenchMode) {
    // Which contender a rewrite of its file would fall on is chance.
    const redis = await startRedis(['--maxmemory', '2gb', '--auto-aof-rewrite-percentage', '0'])
    const samples = BATCH_SAMPLES * (mode === 'short' ? 2_000 : 10_000)
    const rows: BenchRow[] = []
    try {
      let reference = Number.NaN
      for (const { name, share, carry, sumOf: expectedSum = sumOf } of CONTENDERS) {
        const carried = Math.max(1, Math.round((samples * share) / BATCH_SAMPLES)) * BATCH_SAMPLES
        await carry(Math.max(1, Math.round(carried / BATCH_SAMPLES / 10)) * BATCH_SAMPLES, redis.port) // warms up
        const startedMs = performance.now()
        const { count, sum } = await carry(carried, redis.port)
        const seconds = (performance.now() - startedMs) / 1000
        const expected = expectedSum(carried)
        if (count !== carried || sum !== expected) throw new Error(`${name}: ${count} of ${carried}, sum ${sum}.`)
        const value = carried / seconds
        const isOurs = name.startsWith(OURS)
        if (isOurs) reference = value
        const note = isOurs ? 'count and sum checked' : `ours is ${(reference / value).toFixed(1)} x`
        rows.push({ contender: name, unit: 'samples/s', value, note })
      }
    } finally {
      await redis.stop()
    }
    return rows
  },
}

/** Calls `send` for `0..total-1`, {@link WINDOW} at a time and in order, {@link CALLS} of them in flight. */
async function inFlight(total: number, send: (first: number, count: number) => Promise<unknown>): Promise<void> {
  let sent = 0
  const run = async () => {
    while (sent < total) {
      const first = sent
      sent = Math.min(total, first + WINDOW)
      await send(first, sent - first)
    }
  }
  await Promise.all(Array.from({ length: CALLS }, run))
}

function sampleValue(n: number): number {
  return (n % 1000) * 0.5
}

function sumOf(samples: number): number {
  let sum = 0
  for (let n = 0; n < samples; n++) sum += sampleValue(n)
  return sum
}

function fill(columns: SampleColumns, first: number): void {
  for (let row = 0; row < BATCH_SAMPLES; row++) {
    const n = first + row
    columns.series[row] = n & 7
    columns.values[row] = sampleValue(n)
    columns.takenAtUs[row] = TAKEN_AT_US + n * 100
    columns.sequences[row] = n >>> 3
  }
  columns.count = BATCH_SAMPLES
}

function sumOfReady(samples: number): number {
  return (samples / BATCH_SAMPLES) * sumOf(BATCH_SAMPLES)
}

/** Where batches come from, and what takes in their bodies. */
interface Batches {
  next: (batch: number) => SealedBatch
  add: (body: Uint8Array) => void
  seen: Seen
}

function encodedBatches(): Batches {
  return { next: createBatches(), ...createCounter() }
}

/** The first batch with other numbers. */
function readyBodies(): Batches {
  const first = createBatches()(0)
  const sum = sumOf(BATCH_SAMPLES)
  const seen: Seen = { count: 0, sum: 0 }
  const add = (body: Uint8Array) => {
    assert.equal(Buffer.compare(body, first.body), 0)
    seen.count += BATCH_SAMPLES
    seen.sum += sum
  }
  return { next: (batch) => ({ ...first, seq: batch + 1 }), add, seen }
}

/** Encodes batches of samples, in order. */
function createBatches() {
  const encoder = new BatchEncoder()
  const columns = createColumns(BATCH_SAMPLES)
  const rows = Uint32Array.from({ length: BATCH_SAMPLES }, (_, row) => row)
  return (batch: number) => {
    fill(columns, batch * BATCH_SAMPLES)
    const header = { producer: 'bench', epoch: 1, seq: batch + 1 }
    const encoded = encoder.encode(header, SERIES, columns, rows, 0, BATCH_SAMPLES, BATCH_BYTES)
    if (encoded.next !== BATCH_SAMPLES) throw new Error(`Only ${encoded.next} samples fit ${BATCH_BYTES} bytes.`)
    return { ...header, shard: 0, priority: 1 as const, handler: '*', ...encoded }
  }
}

/** Decodes bodies and adds up what they hold. */
function createCounter() {
  const decoder = new BatchDecoder()
  const seen: Seen = { count: 0, sum: 0 }
  const add = (body: Uint8Array) => {
    const { count, values } = decoder.decode(body)
    for (let i = 0; i < count; i++) seen.sum += values[i]
    seen.count += count
  }
  return { seen, add }
}

async function carryByBatches(samples: number, port: number, { next, add, seen }: Batches): Promise<Seen> {
  const options = {
    host: '127.0.0.1',
    port,
    db: 0,
    tls: false,
    queueName: `bench:${randomUUID()}`,
    commandTimeoutMs: 10_000,
    shards: 1,
  }
  const producer = await openBatchProducer(options)
  const stream = await openBatchStream(options, 'bench')
  const shard = await stream.own(0, 60_000)
  if (shard === undefined) throw new Error('The shard has another owner.')
  const produce = () =>
    inFlight(samples / BATCH_SAMPLES, async (first, count) => {
      const outcomes = await producer.append(Array.from({ length: count }, (_, index) => next(first + index)))
      const failed = outcomes.find(({ kind }) => kind !== 'stored')
      if (failed !== undefined) throw new Error(`Not stored: ${JSON.stringify(failed)}`)
    })
  const consume = async () => {
    let settled: Promise<unknown> = Promise.resolve()
    while (seen.count < samples) {
      const entries = await shard.lease({ maxEntries: IN_FLIGHT, maxBytes: 2 ** 22 }, 5000)
      for (const { body } of entries) add(body)
      await settled
      settled = shard.settle({ ack: entries.map(({ id }) => id), retry: [], deadLetter: [], state: new Map() })
    }
    await settled
  }
  await Promise.all([produce(), consume()])
  await shard.release()
  await Promise.all([producer.close(), stream.close()])
  return seen
}

async function carryByBullBatches(samples: number, port: number, { next, add, seen }: Batches): Promise<Seen> {
  await carryByBull('bench-batches', port, samples / BATCH_SAMPLES, {
    jobOf: (n) => Buffer.from(next(n).body).toString('base64'),
    take: (body) => add(Buffer.from(body as string, 'base64')),
  })
  return seen
}

async function carryByBullJobs(samples: number, port: number): Promise<Seen> {
  const seen: Seen = { count: 0, sum: 0 }
  await carryByBull('bench-jobs', port, samples, {
    jobOf: taskOf,
    take: (task) => addTask(seen, task as ReturnType<typeof taskOf>),
  })
  return seen
}

async function carryByBull(
  name: string,
  port: number,
  jobs: number,
  { jobOf, take }: { jobOf: (n: number) => unknown; take: (data: unknown) => void },
): Promise<void> {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const queue = new Queue(name, { connection })
  let done = 0
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const worker = new Worker(name, async (job) => take(job.data), {
    connection,
    concurrency: IN_FLIGHT,
    removeOnComplete: { count: 0 },
  })
  worker.on('completed', () => {
    if (++done === jobs) finish()
  })
  await inFlight(jobs, (first, count) =>
    queue.addBulk(Array.from({ length: count }, (_, index) => ({ name: 'batch', data: jobOf(first + index) }))),
  )
  await finished
  await worker.close()
  await queue.close()
}

async function carryByLists(samples: number, port: number): Promise<Seen> {
  const [producer, consumer] = [new Redis(port, '127.0.0.1'), new Redis(port, '127.0.0.1')]
  const seen: Seen = { count: 0, sum: 0 }
  const produce = async () => {
    for (let first = 0; first < samples; first += IN_FLIGHT) {
      const count = Math.min(IN_FLIGHT, samples - first)
      const pushes = Array.from({ length: count }, (_, i) =>
        producer.rpush('bench:list', JSON.stringify(taskOf(first + i))),
      )
      await Promise.all(pushes)
    }
  }
  const consume = async () => {
    while (seen.count < samples) {
      const popped = await consumer.blpop('bench:list', 5)
      if (popped !== null) addTask(seen, JSON.parse(popped[1]))
    }
  }
  await Promise.all([produce(), consume()])
  producer.disconnect()
  consumer.disconnect()
  return seen
}

/** The seed's task with one channel. */
function taskOf(n: number) {
  const timestamp = new Date((TAKEN_AT_US + n * 100) / 1000).toISOString()
  return {
    id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
    type: 'telemetry.analyze',
    payload: { device_id: 'bench', timestamp, temperature: sampleValue(n) },
    priority: 'NORMAL',
    max_retries: 3,
  }
}

function addTask(seen: Seen, task: ReturnType<typeof taskOf>): void {
  seen.count++
  seen.sum += task.payload.temperature
}
