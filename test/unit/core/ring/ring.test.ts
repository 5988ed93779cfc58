import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createColumns } from '#core/model/columns'
import { MAX_RAW_BYTES, type Sample } from '#core/model/sample'
import { ASLEEP, CONTROL, createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'

const INVALID = { code: 'TLM_OPTIONS_INVALID' }
const BROKEN = { code: 'TLM_INVARIANT_BROKEN' }

function sampleOf(sequence: number, raw?: Uint8Array): Sample {
  return {
    series: 4_000_000_000,
    value: sequence / 3,
    takenAtUs: 1.7e15 + sequence,
    sequence,
    quality: 7,
    priority: 2,
    raw,
  }
}

function ringOf(slots: number, rawBytes = 0, startIndex = 0) {
  const memory = createRing({ slots, rawBytes, startIndex })
  return { memory, producer: new RingProducer(memory), consumer: new RingConsumer(memory), rows: createColumns(slots) }
}

test('every field of a sample comes out as it went in', () => {
  const { producer, consumer, rows } = ringOf(4, 4096)
  assert.equal(producer.tryPublish(sampleOf(0xffff_ffff, Uint8Array.of(1, 2, 255))), true)
  assert.equal(consumer.drain(rows), 1)
  assert.equal(rows.count, 1)
  assert.equal(rows.series[0], 4_000_000_000)
  assert.equal(rows.values[0], 0xffff_ffff / 3)
  assert.equal(rows.takenAtUs[0], 1.7e15 + 0xffff_ffff)
  assert.equal(rows.sequences[0], 0xffff_ffff)
  assert.equal(rows.qualities[0], 7)
  assert.equal(rows.priorities[0], 2)
  assert.deepEqual(rows.raw, new Map([[0, Uint8Array.of(1, 2, 255)]]))
})

test('an empty ring drains nothing and clears the rows of the drain before', () => {
  const { producer, consumer, rows } = ringOf(4, 4096)
  producer.tryPublish(sampleOf(1, Uint8Array.of(1)))
  consumer.drain(rows)
  assert.equal(consumer.drain(rows), 0)
  assert.equal(rows.count, 0)
  assert.equal(rows.raw.size, 0)
})

test('a full ring refuses until samples are released, not merely drained', () => {
  const { producer, consumer, rows } = ringOf(2)
  assert.deepEqual(
    [1, 2, 3].map((n) => producer.tryPublish(sampleOf(n))),
    [true, true, false],
  )
  assert.equal(producer.free, 0)
  consumer.drain(rows)
  assert.equal(producer.tryPublish(sampleOf(3)), false)
  consumer.release(1)
  assert.equal(producer.backlog, 1)
  assert.equal(producer.tryPublish(sampleOf(3)), true)
  assert.equal(consumer.backlog, 1)
  assert.equal(consumer.position, 2)
})

test('a reading goes in whole or not at all, its raw bytes with its first sample', () => {
  const { producer, consumer, rows } = ringOf(4, 4096)
  assert.equal(producer.tryPublishReading(5, [1, 2, 3], [10, 20, 30], 9, 1, 0, Uint8Array.of(8)), true)
  assert.equal(producer.tryPublishReading(6, [1, 2], [11, 21], 10, 0, 0), false)
  assert.equal(consumer.drain(rows), 3)
  assert.deepEqual([...rows.values.subarray(0, 3)], [10, 20, 30])
  assert.deepEqual([...rows.sequences.subarray(0, 3)], [9, 9, 9])
  assert.deepEqual([...rows.raw.keys()], [0])
})

test('a reading that could never fit is an error, not a full ring', () => {
  const { producer } = ringOf(2)
  assert.throws(() => producer.tryPublishReading(5, [1, 2, 3], [1, 2, 3], 9, 0, 1), INVALID)
  assert.throws(() => producer.tryPublishReading(5, [1, 2], [1], 9, 0, 1), INVALID)
  assert.equal(producer.tryPublishReading(5, [], [], 9, 0, 1), true)
  assert.equal(producer.backlog, 0)
})

test('raw bytes that could never fit are an error that leaves the ring unchanged', () => {
  const withArena = ringOf(2, 4096).producer
  assert.throws(() => withArena.tryPublish(sampleOf(1, new Uint8Array(MAX_RAW_BYTES + 1))), INVALID)
  assert.throws(() => ringOf(2).producer.tryPublish(sampleOf(1, new Uint8Array(1))), INVALID)
  assert.equal(withArena.backlog, 0)
  assert.equal(withArena.tryPublish(sampleOf(1, new Uint8Array(MAX_RAW_BYTES))), true)
})

test('a full raw arena refuses samples with raw bytes only, and release frees it', () => {
  const { producer, consumer, rows } = ringOf(8, 4096)
  assert.equal(producer.tryPublish(sampleOf(1, new Uint8Array(4000))), true)
  assert.equal(producer.tryPublish(sampleOf(2, new Uint8Array(97))), false)
  assert.equal(producer.tryPublish(sampleOf(2)), true)
  consumer.drain(rows)
  consumer.release(2)
  const wrapping = Uint8Array.from({ length: 4096 }, (_, i) => i)
  assert.equal(producer.tryPublish(sampleOf(3, wrapping)), true)
  consumer.drain(rows)
  assert.deepEqual(rows.raw.get(0), wrapping)
})

test('publishing many stops before a row with oversized raw bytes, which is the next call’s error', () => {
  const { producer } = ringOf(8, 4096)
  const rows = createColumns(3)
  rows.raw.set(1, new Uint8Array(MAX_RAW_BYTES + 1))
  assert.equal(producer.tryPublishMany(rows, 0, 3), 1)
  assert.throws(() => producer.tryPublishMany(rows, 1, 3), INVALID)
  assert.throws(() => producer.tryPublishMany(rows, 2, 4), INVALID)
  assert.equal(producer.backlog, 1)
})

test('releasing more than was drained is an invariant broken', () => {
  const { producer, consumer, rows } = ringOf(4)
  producer.tryPublish(sampleOf(1))
  assert.throws(() => consumer.release(1), BROKEN)
  consumer.drain(rows)
  assert.throws(() => consumer.release(-1), BROKEN)
  consumer.release(1)
  assert.throws(() => consumer.release(1), BROKEN)
})

test('sizes that are no power of two or out of range are refused by name', () => {
  for (const slots of [0, 1, 3, 2.5, -2, Number.NaN, 2 ** 25]) {
    assert.throws(() => createRing({ slots, rawBytes: 0 }), { ...INVALID, message: /slots must be a power of two/ })
  }
  for (const rawBytes of [1, 2048, 5000, 2 ** 31]) {
    assert.throws(() => createRing({ slots: 2, rawBytes }), { ...INVALID, message: /rawBytes must be 0 or/ })
  }
})

test('memory that is not an intact ring cannot be attached to', () => {
  const corrupt: [number, number][] = [
    [0, 1], // magic
    [1, 99], // version
    [2, 3], // slots, not a power of two
    [2, 8], // slots, not the memory's size
    [3, 7], // raw bytes
    [CONTROL.PUBLISHED, 5], // more published than there are slots
    [CONTROL.CONSUMED, 1], // consumed ahead of published
  ]
  for (const [word, value] of corrupt) {
    const memory = createRing({ slots: 4, rawBytes: 0 })
    new Uint32Array(memory)[word] = value
    assert.throws(() => new RingProducer(memory), INVALID, `producer, word ${word}`)
    assert.throws(() => new RingConsumer(memory), INVALID, `consumer, word ${word}`)
  }
  assert.throws(() => new RingConsumer(new SharedArrayBuffer(64)), INVALID)
})

test('a slot that claims more raw bytes than the arena has is an invariant broken', () => {
  const { memory, producer, consumer, rows } = ringOf(2)
  producer.tryPublish(sampleOf(1))
  new Uint32Array(memory, 512)[6] = 0xffff_0000
  assert.throws(() => consumer.drain(rows), BROKEN)
})

test('a wait on an empty ring ends at its timeout and leaves nobody asleep', async () => {
  const { memory, producer, consumer } = ringOf(2)
  assert.equal(consumer.wait(1), false)
  const keepAlive = setInterval(() => {}, 1000)
  assert.equal(await consumer.waitAsync(1), false)
  clearInterval(keepAlive)
  assert.equal(new Int32Array(memory)[CONTROL.PUBLISHED], 0)
  producer.tryPublish(sampleOf(1))
  assert.equal(consumer.wait(1), true)
  assert.equal(await consumer.waitAsync(1), true)
})

test('a pending asynchronous wait is woken by a publish, and tells the backlog meanwhile', async () => {
  for (const startIndex of [0, 2 ** 31 - 1, 2 ** 32 - 1]) {
    const { memory, producer, consumer } = ringOf(2, 0, startIndex)
    const woken = consumer.waitAsync(60_000)
    assert.equal(new Uint32Array(memory)[CONTROL.PUBLISHED], (startIndex ^ ASLEEP) >>> 0)
    assert.equal(consumer.backlog, 0)
    const keepAlive = setInterval(() => {}, 1000)
    producer.tryPublish(sampleOf(1))
    assert.equal(new Uint32Array(memory)[CONTROL.PUBLISHED], (startIndex + 1) >>> 0)
    assert.equal(consumer.backlog, 1)
    assert.equal(await woken, true)
    clearInterval(keepAlive)
  }
})

test('both ends attach to a ring whose consumer died asleep, and its successor sleeps and wakes again', async () => {
  const { memory, consumer } = ringOf(2)
  void consumer.waitAsync(60_000)
  const producer = new RingProducer(memory)
  assert.equal(producer.position, 0)
  const successor = new RingConsumer(memory)
  assert.equal(new Int32Array(memory)[CONTROL.PUBLISHED], 0)
  const woken = successor.waitAsync(60_000)
  const keepAlive = setInterval(() => {}, 1000)
  new RingProducer(memory).tryPublish(sampleOf(1)) // attached while it sleeps
  assert.equal(await woken, true)
  clearInterval(keepAlive)
  assert.equal(successor.take(2), 1)
})

test('a consumer beside one that was given up asleep sleeps, too, and both are woken', async () => {
  const { memory, producer, consumer } = ringOf(2)
  const successor = new RingConsumer(memory)
  const keepAlive = setInterval(() => {}, 1000)
  const given = consumer.waitAsync(60_000)
  let isAwake = false
  const woken = successor.waitAsync(60_000).finally(() => {
    isAwake = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isAwake, false)
  producer.tryPublish(sampleOf(1))
  assert.deepEqual(await Promise.all([given, woken]), [true, true])
  clearInterval(keepAlive)
})

test('samples that were drained and taken back are drained again; released ones cannot be taken back', () => {
  const { producer, consumer, rows } = ringOf(4)
  for (const n of [1, 2, 3]) producer.tryPublish(sampleOf(n))
  consumer.drain(rows)
  consumer.release(1)
  consumer.rewind(1)
  assert.equal(consumer.position, 2)
  assert.equal(consumer.backlog, 1)
  consumer.drain(rows)
  assert.deepEqual([...rows.sequences.subarray(0, rows.count)], [3])
  assert.throws(() => consumer.rewind(3), BROKEN)
  assert.throws(() => consumer.rewind(-1), BROKEN)
})

test('the producer knows its position and the raw bytes that fit', () => {
  const { producer, consumer, rows } = ringOf(4, 4096)
  assert.equal(producer.freeRawBytes, 4096)
  producer.tryPublish(sampleOf(1, new Uint8Array(4000)))
  assert.equal(producer.position, 1)
  assert.equal(producer.freeRawBytes, 96)
  consumer.drain(rows)
  consumer.release(1)
  assert.equal(producer.freeRawBytes, 4096)
})
