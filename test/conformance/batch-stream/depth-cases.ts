import assert from 'node:assert/strict'
import { ack, batch, leaseAll, settlement, store, until } from '../batch-stream-fixture.js'
import type { Cases } from '../batch-stream-suite.js'

const EMPTY = {
  entries: 0,
  samples: 0,
  bytes: 0,
  deadLetters: 0,
  delayed: 0,
  oldestStoredAtUs: undefined,
  owner: undefined,
}

export const depthCases: Cases = {
  'an empty store has empty shards, in their order': async (fixture) => {
    const stream = await fixture.stream()
    assert.equal(stream.shards, 2)
    assert.equal((await fixture.producer()).shards, 2)
    assert.deepEqual(await stream.depths(), [
      { shard: 0, ...EMPTY },
      { shard: 1, ...EMPTY },
    ])
  },

  'depths count entries, samples and bytes until they are settled, leased or not': async (fixture) => {
    const stream = await fixture.stream()
    const producer = await fixture.producer()
    const beforeUs = Date.now() * 1000
    await store(producer, [
      batch(1, { shard: 1, priority: 0, samples: 3, body: new Uint8Array(100) }),
      batch(2, { shard: 1, priority: 1, samples: 40, body: new Uint8Array(1000) }),
      batch(3, { shard: 1, priority: 2, samples: 500, body: new Uint8Array(10_000) }),
    ])
    await producer.append([batch(3, { shard: 1, samples: 9, body: new Uint8Array(9) }), batch(9, { shard: 1 })])
    const sizes = async () => {
      const { entries, samples, bytes, delayed } = (await stream.depths())[1]
      return [entries, samples, bytes, delayed]
    }
    assert.deepEqual(await sizes(), [3, 543, 11_100, 0])
    const { oldestStoredAtUs } = (await stream.depths())[1]
    const toleranceUs = 1_000_000
    assert.ok(oldestStoredAtUs! >= beforeUs - toleranceUs && oldestStoredAtUs! <= Date.now() * 1000 + toleranceUs)
    const shard = await fixture.owner('holder-b', 1)
    const [high, normal, low] = await leaseAll(shard)
    assert.deepEqual(await sizes(), [3, 543, 11_100, 0])
    await ack(shard, [normal])
    assert.deepEqual(await sizes(), [2, 503, 10_100, 0])
    // A delayed entry is not settled yet: it counts among the entries.
    const retry = [{ id: low.id, priority: low.priority, attempts: 1, afterMs: 60_000 }]
    await shard.settle(settlement({ retry }))
    assert.deepEqual(await sizes(), [2, 503, 10_100, 1])
    await shard.settle(settlement({ deadLetter: [{ id: high.id, priority: 0, class: 'test', message: 'dead' }] }))
    assert.deepEqual(await sizes(), [1, 500, 10_000, 1])
    assert.deepEqual((await stream.depths())[0], { shard: 0, ...EMPTY })
  },

  'sizes stay right when an entry is retried and then settled': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), [batch(1, { samples: 7, body: new Uint8Array(70) })])
    const shard = await fixture.owner('holder-b')
    const [entry] = await leaseAll(shard)
    await shard.settle(settlement({ retry: [{ id: entry.id, priority: 1, attempts: 1, afterMs: 0 }] }))
    await ack(shard, await shard.lease({ maxEntries: 1, maxBytes: 1 }, 10_000))
    const [depth] = await stream.depths()
    assert.deepEqual(depth, { shard: 0, ...EMPTY, owner: 'holder-b' })
  },

  'depths name the owner while its lease lasts': async (fixture) => {
    const stream = await fixture.stream()
    const owner = async () => (await stream.depths())[0].owner
    const shard = await fixture.owner('holder-b')
    assert.equal(await owner(), 'holder-b')
    await shard.release()
    assert.equal(await owner(), undefined)
    await fixture.owner('holder-c', 0, 100)
    await until('the lease ends', async () => (await owner()) === undefined)
  },

  'beat lists the living holders, sorted, and forgets the dead': async (fixture) => {
    const [b, a, c] = await Promise.all(['b', 'a', 'c'].map((name) => fixture.stream(`holder-${name}`)))
    assert.deepEqual(await b.beat(60_000), ['holder-b'])
    assert.deepEqual(await a.beat(100), ['holder-a', 'holder-b'])
    assert.deepEqual(await c.beat(60_000), ['holder-a', 'holder-b', 'holder-c'])
    const living = await until('the silent holder is forgotten', async () => {
      const holders = await c.beat(60_000)
      return holders.length < 3 && holders
    })
    assert.deepEqual(living, ['holder-b', 'holder-c'])
    assert.deepEqual(await a.beat(60_000), ['holder-a', 'holder-b', 'holder-c'])
  },

  'a store is opened with the number of shards it was made with, or not at all': async (fixture) => {
    await fixture.producer(2)
    const refusal = { code: 'TLM_STREAM_MISCONFIGURED', message: /\b3\b.*\b2\b|\b2\b.*\b3\b/ }
    await assert.rejects(fixture.stream('holder-a', 3), refusal)
    await assert.rejects(fixture.producer(3), refusal)
    assert.equal((await fixture.stream('holder-a', 2)).shards, 2)
  },
}
