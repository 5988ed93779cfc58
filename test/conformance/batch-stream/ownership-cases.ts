import assert from 'node:assert/strict'
import {
  ALL,
  ack,
  batch,
  batches,
  findsNothing,
  LONG_MS,
  leaseAll,
  owned,
  ownWhenFree,
  SHORT_MS,
  seqs,
  settlement,
  store,
} from '../batch-stream-fixture.js'
import type { Cases } from '../batch-stream-suite.js'

export const ownershipCases: Cases = {
  'a shard has one owner until it is released': async (fixture) => {
    const a = await fixture.stream('holder-a')
    const b = await fixture.stream('holder-b')
    const first = owned(await a.own(0, LONG_MS))
    assert.equal(first.shard, 0)
    assert.equal(await b.own(0, LONG_MS), undefined)
    assert.notEqual(await b.own(1, LONG_MS), undefined)
    await first.release()
    const second = owned(await b.own(0, LONG_MS))
    assert.ok(second.token > first.token, `${second.token} should exceed ${first.token}`)
    assert.equal(await a.own(0, LONG_MS), undefined)
  },

  'only one of many that try at once becomes the owner': async (fixture) => {
    const streams = await Promise.all(['a', 'b', 'c', 'd'].map((name) => fixture.stream(`holder-${name}`)))
    const owners = await Promise.all(streams.map((stream) => stream.own(0, LONG_MS)))
    assert.equal(owners.filter((owner) => owner !== undefined).length, 1)
  },

  'a shard is free when its owner has not renewed within the lease': async (fixture) => {
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    const start = performance.now()
    const second = await ownWhenFree(await fixture.stream('holder-b'))
    assert.ok(performance.now() - start < 5000)
    assert.ok(second.token > first.token)
    assert.equal(await first.renew(), false)
    assert.equal(await second.renew(), true)
  },

  'renewing keeps the shard for as long as it goes on': async (fixture) => {
    const leaseMs = 400
    const first = await fixture.owner('holder-a', 0, leaseMs)
    const other = await fixture.stream('holder-b')
    const start = performance.now()
    while (performance.now() - start < 3 * leaseMs) {
      assert.equal(await first.renew(), true)
      assert.equal(await other.own(0, leaseMs), undefined)
    }
    await ownWhenFree(other)
  },

  'an owner whose lease has ended stays the owner while nobody else has come': async (fixture) => {
    const producer = await fixture.producer()
    await store(producer, batches(1, 2))
    const shard = await fixture.owner('holder-a', 0, 1)
    const entries = await shard.lease(ALL, 1000)
    await ack(shard, entries.slice(0, 1))
    assert.equal(await shard.renew(), true)
    await ack(shard, entries.slice(1))
  },

  'what an owner left unsettled goes to the next one, counted and in order; what it settled does not': async (
    fixture,
  ) => {
    const producer = await fixture.producer()
    await store(producer, [...batches(1, 6), batch(7, { priority: 0 })])
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    const leased = await first.lease({ maxEntries: 5, maxBytes: 1e6 }, 0)
    assert.deepEqual(seqs(leased), [7, 1, 2, 3, 4])
    await ack(first, [leased[1], leased[3]])
    const second = await ownWhenFree(await fixture.stream('holder-b'))
    await store(producer, [batch(8)])
    const again = await leaseAll(second)
    assert.deepEqual(seqs(again), [7, 2, 4, 5, 6, 8])
    const counts = again.map(({ deliveryCount }) => deliveryCount)
    assert.deepEqual(counts.slice(0, 3), [2, 2, 2])
    assert.equal(counts[5], 1)
    await ack(second, again)
    await second.release()
    assert.deepEqual(await leaseAll(await fixture.owner('holder-c')), [])
  },

  'the delivery count grows with every owner that had the entry': async (fixture) => {
    await store(await fixture.producer(), batches(1, 2))
    for (let count = 1; count <= 4; count++) {
      const shard = await fixture.owner(`holder-${count}`)
      const entries = await leaseAll(shard)
      assert.deepEqual(
        entries.map(({ deliveryCount }) => deliveryCount),
        [count, count],
      )
      await shard.release()
    }
  },

  'released entries that were never handed out are not counted as delivered': async (fixture) => {
    await store(await fixture.producer(), batches(1, 5))
    const first = await fixture.owner()
    await first.lease({ maxEntries: 2, maxBytes: 1e6 }, 0)
    await first.release()
    const entries = await leaseAll(await fixture.owner('holder-b'))
    assert.deepEqual(
      entries.map(({ deliveryCount }) => deliveryCount),
      [2, 2, 1, 1, 1],
    )
  },

  'a former owner can settle nothing': async (fixture) => {
    await store(await fixture.producer(), batches(1, 4))
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    const [one, two, three, four] = await first.lease(ALL, 0)
    const second = await ownWhenFree(await fixture.stream('holder-b'))
    const result = await first.settle(
      settlement({
        ack: [one.id],
        retry: [{ id: two.id, priority: two.priority, attempts: 1, afterMs: 0 }],
        deadLetter: [{ id: three.id, priority: three.priority, class: 'test', message: 'of a former owner' }],
        state: new Map([['row', new Uint8Array(4)]]),
      }),
    )
    assert.deepEqual(result, { kind: 'fenced' })
    assert.equal(await first.renew(), false)
    assert.deepEqual(seqs(await leaseAll(second)), [1, 2, 3, 4])
    assert.equal((await second.loadState()).size, 0)
    assert.deepEqual(await first.settle(settlement({ ack: [four.id] })), { kind: 'fenced' })
  },

  'a former owner takes nothing, not even through a lease that was already waiting': async (fixture) => {
    const producer = await fixture.producer()
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    const waiting = first.lease(ALL, 3000)
    const second = await ownWhenFree(await fixture.stream('holder-b'))
    await store(producer, batches(1, 3))
    assert.deepEqual(seqs(await second.lease(ALL, 5000)), [1, 2, 3])
    await store(producer, batches(4, 5))
    await findsNothing(waiting)
    await findsNothing(first.lease(ALL, 0))
    assert.deepEqual(seqs(await leaseAll(second)), [4, 5])
  },

  'a former owner that had read ahead hands out nothing once it has learned of it': async (fixture) => {
    await store(await fixture.producer(), batches(1, 9))
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    await first.lease({ maxEntries: 1, maxBytes: 1e6 }, 0)
    await ownWhenFree(await fixture.stream('holder-b'))
    assert.equal(await first.renew(), false)
    await findsNothing(first.lease(ALL, 0))
  },

  'a former owner’s release leaves the new owner in place': async (fixture) => {
    const first = await fixture.owner('holder-a', 0, SHORT_MS)
    const second = await ownWhenFree(await fixture.stream('holder-b'))
    await first.release()
    assert.equal(await second.renew(), true)
    assert.equal(await (await fixture.stream('holder-c')).own(0, LONG_MS), undefined)
  },
}
