import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createColumns } from '#core/model/columns'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import type { ConsumerThreadData, ConsumerThreadReport } from './consumer-thread.js'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

function startConsumer(workerData: ConsumerThreadData): Promise<ConsumerThreadReport> {
  const worker = new Worker(new URL('./consumer-thread.js', import.meta.url), { workerData })
  return once(worker, 'message').then(([report]) => report)
}

/** Nobody notifies it: waiting on it is a pause that leaves the core to others. */
const nobody = new Int32Array(new SharedArrayBuffer(4))

/** Small seeded generator (xorshift32): the same seed gives the same batch sizes. */
function randomBelow(seedValue: number): (bound: number) => number {
  let state = seedValue | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

function checksumOf(samples: number): number {
  let sum = 0
  for (let sequence = 0; sequence < samples; sequence++) sum = (Math.imul(sum, 31) + sequence) | 0
  return sum
}

/** Publishes samples `0..total-1` in random batches, one in `rawEvery` batches with raw bytes. */
function publishAll(memory: SharedArrayBuffer, total: number): void {
  const producer = new RingProducer(memory)
  const random = randomBelow(seed)
  const rows = createColumns(300)
  let next = 0
  while (next < total) {
    const count = Math.min(total - next, random(4) === 0 ? 1 : 1 + random(300))
    rows.raw.clear()
    for (let row = 0; row < count; row++) {
      const sequence = next + row
      rows.series[row] = (sequence ^ 0x55) >>> 0
      rows.values[row] = sequence * 0.5
      rows.takenAtUs[row] = 1e15 + sequence
      rows.sequences[row] = sequence
    }
    if (random(16) === 0) rows.raw.set(0, new Uint8Array(random(2000)).fill(next & 255))
    for (let done = 0, refusals = 0; done < count; ) {
      const taken = producer.tryPublishMany(rows, done, count)
      done += taken
      // On a crowded machine the consumer may need this core to make room.
      refusals = taken > 0 ? 0 : refusals + 1
      if (refusals > 10_000) Atomics.wait(nobody, 0, 0, 1)
    }
    next += count
  }
}

for (const [name, startIndex] of [
  ['2^31', 2 ** 31 - 50_000],
  ['2^32', 2 ** 32 - 50_000],
] as const) {
  for (const slots of [4, 1024]) {
    test(`every sample crosses once, whole and in order, over ${slots} slots across ${name} (seed ${seed})`, async () => {
      const samples = slots === 4 ? 100_000 : 2_000_000
      const ring = createRing({ slots, rawBytes: 4096, startIndex })
      const report = startConsumer({ ring, samples, waitAsync: false })
      publishAll(ring, samples)
      assert.deepEqual(await report, { samples, checksum: checksumOf(samples) })
    })
  }
}

for (const waitAsync of [false, true]) {
  const how = waitAsync ? 'waitAsync' : 'wait'
  test(`no wake-up is lost when both threads sleep after every sample (${how})`, async () => {
    const samples = 5000
    const ring = createRing({ slots: 2, rawBytes: 0 })
    const answers = createRing({ slots: 2, rawBytes: 0 })
    const report = startConsumer({ ring, answers, samples, waitAsync })
    const producer = new RingProducer(ring)
    const consumer = new RingConsumer(answers)
    const rows = createColumns(2)
    for (let sequence = 0; sequence < samples; sequence++) {
      const value = sequence * 0.5
      const series = (sequence ^ 0x55) >>> 0
      assert.ok(producer.tryPublish({ series, value, takenAtUs: 1e15 + sequence, sequence, quality: 0, priority: 1 }))
      assert.ok(await consumer.waitAsync(10_000), `answer ${sequence} did not wake the producer`)
      assert.equal(consumer.drain(rows), 1)
      assert.equal(rows.sequences[0], sequence)
      consumer.release(1)
    }
    assert.deepEqual(await report, { samples, checksum: checksumOf(samples) })
  })
}
