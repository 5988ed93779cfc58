import assert from 'node:assert/strict'
import type { Priority } from '#core/model/priority'
import { ALL, ack, batch, batches, leaseAll, numbers, ranks, seqs, store } from '../batch-stream-fixture.js'
import type { Cases } from '../batch-stream-suite.js'

export const leaseCases: Cases = {
  'an entry says all that its batch said': async (fixture) => {
    const body = Uint8Array.from({ length: 300 }, (_, i) => i)
    const sealed = batch(1, { priority: 0, handler: 'telemetry.alert', samples: 77, firstTakenAtUs: 1.7e15 + 3, body })
    await store(await fixture.producer(), [sealed])
    const [entry, ...more] = await (await fixture.owner()).lease(ALL, 0)
    assert.equal(more.length, 0)
    assert.equal(typeof entry.id, 'string')
    assert.deepEqual(
      { ...entry, id: '', body: [...entry.body] },
      {
        id: '',
        priority: 0,
        deliveryCount: 1,
        attempts: 0,
        handler: 'telemetry.alert',
        correlationId: 'hub-1.r0.1700000000000000.0.1',
        samples: 77,
        firstTakenAtUs: 1.7e15 + 3,
        body: [...body],
      },
    )
  },

  'bodies of 65 300 bytes and of none come back to the byte': async (fixture) => {
    const bodies = numbers(1, 20).map((seq) => new Uint8Array(65_300).map((_, i) => i * seq))
    bodies.push(new Uint8Array(0))
    const sealed = bodies.map((body, i) => batch(i + 1, { body }))
    await store(await fixture.producer(), sealed)
    const entries = await leaseAll(await fixture.owner())
    assert.equal(entries.length, bodies.length)
    for (const [i, { body }] of entries.entries()) assert.ok(Buffer.from(bodies[i]).equals(body), `body ${i}`)
  },

  'of a few entries those of high priority come first, and each priority in order': async (fixture) => {
    const order: Priority[] = [2, 1, 0, 2, 1, 0]
    await store(
      await fixture.producer(),
      order.map((priority, i) => batch(i + 1, { priority })),
    )
    const entries = await leaseAll(await fixture.owner())
    const expected = [
      [0, 3],
      [0, 6],
      [1, 2],
      [1, 5],
      [2, 1],
      [2, 4],
    ]
    assert.deepEqual(ranks(entries), expected)
  },

  'high, normal and low share the bytes 8 : 4 : 1 while all of them wait, however few are leased at a time': async (
    fixture,
  ) => {
    const body = new Uint8Array(1000)
    const mixed = numbers(1, 600).map((seq) => batch(seq, { priority: (seq % 3) as Priority, body }))
    for (const [shard, maxEntries] of [1, 7, 130].entries()) {
      const fields = { producer: `hub-${maxEntries}`, shard: shard % 2 }
      await store(
        await fixture.producer(),
        mixed.map((one) => ({ ...one, ...fields })),
      )
      const owner = await fixture.owner(`holder-${shard}`, fields.shard)
      const counts = [0, 0, 0]
      const last = [0, 0, 0]
      for (let leased = 0; leased < 130; ) {
        const limits = { maxEntries: Math.min(maxEntries, 130 - leased), maxBytes: 1e6 }
        const entries = await owner.lease(limits, 0)
        for (const [priority, seq] of ranks(entries)) {
          counts[priority]++
          assert.ok(seq > last[priority], `${seq} after ${last[priority]}`)
          last[priority] = seq
        }
        leased += entries.length
      }
      // 80, 40 and 10, unless the machine is so slow that the age limit of high has a say.
      const [high, normal, low] = counts
      const message = `${counts} at ${maxEntries} at a time`
      assert.ok(high >= 75 && high <= 105 && normal >= 15 && normal <= 42 && low >= 4 && low <= 12, message)
      await ack(owner, await leaseAll(owner))
      await owner.release()
    }
  },

  'what is urgent goes next where low has more than can be done, and low moves where high has': async (fixture) => {
    const producer = await fixture.producer()
    await store(producer, batches(1, 100, { priority: 2 }))
    const shard = await fixture.owner()
    const one = { maxEntries: 1, maxBytes: 1e6 }
    for (let round = 0; round < 5; round++) {
      for (const [priority] of ranks(await shard.lease({ maxEntries: 5, maxBytes: 1e6 }, 0))) assert.equal(priority, 2)
      await store(producer, [batch(101 + round, { priority: 0 })])
      assert.deepEqual(ranks(await shard.lease(one, 0)), [[0, 101 + round]])
    }
    await store(producer, batches(106, 205, { priority: 0 }))
    const next: number[] = []
    for (let i = 0; i < 45; i++) next.push(...ranks(await shard.lease(one, 0)).map(([priority]) => priority))
    const low = next.filter((priority) => priority === 2).length
    assert.ok(low >= 3 && low <= 7, `${low} of 45 were low`)
  },

  'a lease keeps to its limits, but for a single entry that is larger': async (fixture) => {
    const body = new Uint8Array(1000)
    await store(await fixture.producer(), batches(1, 10, { body }))
    const shard = await fixture.owner()
    const came: number[] = []
    for (const maxBytes of [2999, 3000, 10, 1e6]) {
      const some = await shard.lease({ maxEntries: 4, maxBytes }, 0)
      assert.ok(some.length >= 1 && some.length <= Math.max(1, Math.min(4, Math.floor(maxBytes / 1000))))
      came.push(...seqs(some))
    }
    came.push(...seqs(await leaseAll(shard, { maxEntries: 1, maxBytes: 1e6 })))
    assert.deepEqual(came, numbers(1, 10))
  },

  'each entry is given once, settled or not, also to leases that run at once': async (fixture) => {
    const producer = await fixture.producer()
    const shard = await fixture.owner()
    await store(producer, batches(1, 60))
    const some = { maxEntries: 7, maxBytes: 1e6 }
    const leases = await Promise.all(numbers(1, 12).map(() => shard.lease(some, 0)))
    await store(producer, batches(61, 80))
    const entries = [...leases.flat(), ...(await leaseAll(shard))]
    assert.deepEqual(
      seqs(entries).sort((a, b) => a - b),
      numbers(1, 80),
    )
    assert.equal(new Set(entries.map(({ id }) => id)).size, 80)
  },

  'ids tell entries of all priorities apart': async (fixture) => {
    const mixed = numbers(1, 60).map((seq) => batch(seq, { priority: (seq % 3) as Priority }))
    await store(await fixture.producer(), mixed)
    const shard = await fixture.owner()
    const entries = await leaseAll(shard)
    assert.equal(new Set(entries.map(({ id }) => id)).size, 60)
    await ack(
      shard,
      entries.filter(({ priority }) => priority === 1),
    )
    await shard.release()
    const left = await leaseAll(await fixture.owner('holder-b'))
    assert.deepEqual(left.map(({ priority }) => priority).sort(), [...Array(20).fill(0), ...Array(20).fill(2)])
  },

  'a shard gives only its own entries': async (fixture) => {
    await store(await fixture.producer(), [batch(1, { shard: 1 }), batch(1), batch(2)])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner('holder-a', 1))), [1])
    assert.deepEqual(seqs(await leaseAll(await fixture.owner('holder-a', 0))), [1, 2])
  },

  'a lease of an empty shard ends with nothing when its time is over': async (fixture) => {
    const shard = await fixture.owner()
    const start = performance.now()
    assert.deepEqual(await shard.lease(ALL, 120), [])
    const waitedMs = performance.now() - start
    assert.ok(waitedMs >= 100 && waitedMs < 3000, `waited ${waitedMs} ms`)
    assert.deepEqual(await shard.lease(ALL, 0), [])
  },

  'a waiting lease is woken by an append through another connection, for each priority': async (fixture) => {
    const producer = await fixture.producer()
    const shard = await fixture.owner()
    for (const priority of [2, 1, 0] as const) {
      const lease = shard.lease(ALL, 30_000)
      const seq = 3 - priority
      await store(producer, [batch(seq, { priority })])
      const start = performance.now()
      assert.deepEqual(ranks(await lease), [[priority, seq]])
      const wokenMs = performance.now() - start
      assert.ok(wokenMs < 1000, `woken after ${wokenMs} ms`)
    }
  },

  'an abort ends a waiting lease at once and loses nothing that comes later': async (fixture) => {
    const producer = await fixture.producer()
    const shard = await fixture.owner()
    for (let round = 1; round <= 10; round++) {
      const abort = new AbortController()
      const lease = shard.lease(ALL, 30_000, abort.signal)
      // Half of the rounds append before the abort: whichever comes first, the entry must come out once.
      const appended = round % 2 === 0 ? store(producer, [batch(round)]) : undefined
      const start = performance.now()
      abort.abort()
      const early = await lease
      assert.ok(performance.now() - start < 1000)
      await (appended ?? store(producer, [batch(round)]))
      const entries = early.length > 0 ? early : await shard.lease(ALL, 10_000)
      assert.deepEqual(seqs(entries), [round])
    }
    assert.deepEqual(await leaseAll(shard), [])
  },

  'an abort before the call takes nothing away': async (fixture) => {
    await store(await fixture.producer(), batches(1, 2))
    const shard = await fixture.owner()
    const early = await shard.lease(ALL, 1000, AbortSignal.abort())
    assert.deepEqual(seqs([...early, ...(await leaseAll(shard))]), [1, 2])
  },
}
