import assert from 'node:assert/strict'
import { batch, batches, leaseAll, numbers, seqs, store } from '../batch-stream-fixture.js'
import type { Cases } from '../batch-stream-suite.js'

const STORED = { kind: 'stored' }
const DUPLICATE = { kind: 'duplicate' }
const gap = (highWaterSeq: number) => ({ kind: 'gap', highWaterSeq })

export const appendCases: Cases = {
  'a batch that is sent again is a duplicate and is not added again': async (fixture) => {
    const producer = await fixture.producer()
    await store(producer, batches(1, 3))
    assert.deepEqual(await producer.append(batches(2, 4)), [DUPLICATE, DUPLICATE, STORED])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), [1, 2, 3, 4])
  },

  'a batch whose predecessor is missing is a gap and is not added': async (fixture) => {
    const producer = await fixture.producer()
    assert.deepEqual(await producer.append([batch(2)]), [gap(0)])
    assert.deepEqual(await producer.append([batch(1), batch(3), batch(4), batch(2)]), [STORED, gap(1), gap(1), STORED])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), [1, 2])
  },

  'a batch that names the one before it may leave numbers out': async (fixture) => {
    const producer = await fixture.producer()
    await store(producer, [batch(3, { after: 0 }), batch(9, { after: 3 }), batch(10)])
    assert.deepEqual(await producer.append([batch(5)]), [DUPLICATE])
    assert.deepEqual(await producer.append([batch(20, { after: 9 })]), [gap(10)])
    assert.deepEqual(await producer.append([batch(20, { after: 15 })]), [gap(10)])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), [3, 9, 10])
  },

  'each producer, epoch and shard has a numbering of its own': async (fixture) => {
    const producer = await fixture.producer()
    const epoch = 1_800_000_000_000_000
    const firsts = [batch(1), batch(1, { producer: 'hub-2.r0' }), batch(1, { epoch }), batch(1, { shard: 1 })]
    await store(producer, firsts)
    const again = await producer.append([...firsts, batch(2, { epoch })])
    assert.deepEqual(again, [DUPLICATE, DUPLICATE, DUPLICATE, DUPLICATE, STORED])
    assert.equal((await leaseAll(await fixture.owner('holder-a', 0))).length, 4)
    assert.equal((await leaseAll(await fixture.owner('holder-b', 1))).length, 1)
  },

  'the numbering is shared by all priorities of a shard': async (fixture) => {
    const producer = await fixture.producer()
    await store(producer, [batch(1, { priority: 0 }), batch(2, { priority: 2 })])
    const outcomes = await producer.append([batch(2, { priority: 0 }), batch(4, { priority: 1 })])
    assert.deepEqual(outcomes, [DUPLICATE, gap(2)])
  },

  'numbers up to 2^53 keep their value': async (fixture) => {
    const producer = await fixture.producer()
    const last = Number.MAX_SAFE_INTEGER
    await store(producer, [batch(last - 1, { after: 0 })])
    assert.deepEqual(await producer.append([batch(last, { after: 5 })]), [gap(last - 1)])
    assert.deepEqual(await producer.append([batch(last), batch(last)]), [STORED, DUPLICATE])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), [last - 1, last])
  },

  'the high water outlives the producer that raised it, and the settled entries': async (fixture) => {
    const first = await fixture.producer()
    await store(first, batches(1, 5))
    await first.close()
    const shard = await fixture.owner()
    const entries = await leaseAll(shard)
    await shard.settle({ ack: entries.map(({ id }) => id), retry: [], deadLetter: [], state: new Map() })
    const second = await fixture.producer()
    assert.deepEqual(await second.append([batch(5), batch(7)]), [DUPLICATE, gap(5)])
    assert.deepEqual(await leaseAll(shard), [])
  },

  'appends that are not awaited apply in the order in which they were called': async (fixture) => {
    const producer = await fixture.producer()
    const calls = numbers(0, 49).map((i) => producer.append(batches(i * 4 + 1, i * 4 + 4)))
    for (const outcomes of await Promise.all(calls)) assert.deepEqual(outcomes, [STORED, STORED, STORED, STORED])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), numbers(1, 200))
  },

  'an empty append gives no outcomes': async (fixture) => {
    const producer = await fixture.producer()
    assert.deepEqual(await producer.append([]), [])
  },

  'two producers at once lose and double nothing, and each keeps its order': async (fixture) => {
    const names = ['hub-1.r0', 'hub-2.r0']
    await Promise.all(
      names.map(async (name) => {
        const producer = await fixture.producer()
        for (let seq = 1; seq <= 200; seq += 10) await store(producer, batches(seq, seq + 9, { producer: name }))
      }),
    )
    const entries = await leaseAll(await fixture.owner())
    for (const name of names) {
      const own = entries.filter(({ correlationId }) => correlationId.startsWith(name))
      assert.deepEqual(seqs(own), numbers(1, 200))
    }
    assert.equal(entries.length, 400)
  },

  'two producers that send the same batches at once store each batch once, in order': async (fixture) => {
    const producers = [await fixture.producer(), await fixture.producer()]
    await Promise.all(
      producers.map(async (producer) => {
        for (let next = 1; next <= 100; ) {
          const outcomes = await producer.append(batches(next, next + 4))
          for (const { kind } of outcomes) assert.match(kind, /^(stored|duplicate)$/)
          next += outcomes.length
        }
      }),
    )
    assert.deepEqual(seqs(await leaseAll(await fixture.owner())), numbers(1, 100))
  },

  'a thousand batches in one call are stored in order': async (fixture) => {
    await store(await fixture.producer(), batches(1, 1000))
    assert.deepEqual(seqs(await leaseAll(await fixture.owner(), { maxEntries: 64, maxBytes: 1e6 })), numbers(1, 1000))
  },
}
