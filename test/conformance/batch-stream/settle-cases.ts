import assert from 'node:assert/strict'
import { ALL, ack, batch, batches, leaseAll, seqs, settlement, store } from '../batch-stream-fixture.js'
import type { Cases } from '../batch-stream-suite.js'

const text = (value: string) => new TextEncoder().encode(value)
const readable = (state: Map<string, Uint8Array>) =>
  Object.fromEntries([...state].map(([row, bytes]) => [row, Buffer.from(bytes).toString()]))

export const settleCases: Cases = {
  'a shard has no state before the first settlement': async (fixture) => {
    assert.deepEqual(await (await fixture.owner()).loadState(), new Map())
  },

  'state saved with a settlement is what the next owner loads': async (fixture) => {
    await store(await fixture.producer(), batches(1, 2))
    const first = await fixture.owner()
    const [one, two] = await first.lease(ALL, 0)
    const rows = new Map([
      ['kept', text('1')],
      ['replaced', text('old')],
      ['deleted', text('x')],
    ])
    await first.settle(settlement({ ack: [one.id], state: rows }))
    const changes = new Map([
      ['replaced', text('new')],
      ['deleted', undefined],
      ['never there', undefined],
    ])
    await first.settle(settlement({ ack: [two.id], state: changes }))
    const expected = { kept: '1', replaced: 'new' }
    assert.deepEqual(readable(await first.loadState()), expected)
    await first.release()
    assert.deepEqual(readable(await (await fixture.owner('holder-b')).loadState()), expected)
    assert.equal((await (await fixture.owner('holder-b', 1)).loadState()).size, 0)
  },

  'state rows are bytes: any value, any length, many of them': async (fixture) => {
    const rows = new Map<string, Uint8Array>([
      ['empty', new Uint8Array(0)],
      ['every byte', Uint8Array.from({ length: 256 }, (_, i) => i)],
      ['a megabyte', new Uint8Array(1_000_000).map((_, i) => i)],
      ['ünïcødé/1', text('named')],
    ])
    for (let i = 0; i < 3000; i++) rows.set(`row ${i}`, text(`value ${i}`))
    const shard = await fixture.owner()
    assert.deepEqual(await shard.settle(settlement({ state: rows })), { kind: 'settled' })
    const loaded = await shard.loadState()
    assert.equal(loaded.size, rows.size)
    for (const [row, bytes] of rows) assert.ok(Buffer.from(bytes).equals(loaded.get(row)!), row)
  },

  'a settlement of any size ends every lease that it names': async (fixture) => {
    const stream = await fixture.stream()
    const shard = await fixture.owner('holder-b')
    await store(await fixture.producer(), batches(1, 400))
    const entries = await leaseAll(shard)
    const orders = entries.map(({ id, priority }) => ({ id, priority }))
    const deadLetter = orders.slice(0, 200).map((order) => ({ ...order, class: 'test', message: 'of nothing' }))
    const retry = orders.slice(200, 300).map((order) => ({ ...order, attempts: 1, afterMs: 60_000 }))
    const ack = orders.slice(300, 399).map(({ id }) => id)
    assert.deepEqual(await shard.settle(settlement({ ack, retry, deadLetter })), { kind: 'settled' })
    const [{ entries: left, delayed, deadLetters }] = await stream.depths()
    assert.deepEqual({ left, delayed, deadLetters }, { left: 101, delayed: 100, deadLetters: 200 })
  },

  'acknowledging twice, or what never was, does no harm': async (fixture) => {
    const stream = await fixture.stream()
    const shard = await fixture.owner('holder-b')
    await store(await fixture.producer(), batches(1, 3))
    const [one, two] = await leaseAll(shard)
    await ack(shard, [one, two])
    assert.deepEqual(await shard.settle(settlement({ ack: [one.id, two.id, one.id] })), { kind: 'settled' })
    const [{ entries, samples, bytes }] = await stream.depths()
    assert.deepEqual({ entries, samples, bytes }, { entries: 1, samples: 10, bytes: 10 })
  },

  'a thousand entries are acknowledged in one step': async (fixture) => {
    await store(await fixture.producer(), batches(1, 1000))
    const shard = await fixture.owner()
    await ack(shard, await leaseAll(shard))
    const [depth] = await (await fixture.stream('holder-b')).depths()
    assert.deepEqual(
      { entries: depth.entries, samples: depth.samples, bytes: depth.bytes },
      { entries: 0, samples: 0, bytes: 0 },
    )
    await shard.release()
    assert.deepEqual(await leaseAll(await fixture.owner('holder-c')), [])
  },

  'a retry comes again after its delay, with its attempts and one delivery more': async (fixture) => {
    const body = Uint8Array.from({ length: 256 }, (_, i) => i)
    await store(await fixture.producer(), [batch(1, { priority: 2, handler: 'telemetry.store', body }), batch(2)])
    const shard = await fixture.owner()
    const [two, one] = await leaseAll(shard)
    const start = performance.now()
    const retry = [{ id: one.id, priority: one.priority, attempts: 3, afterMs: 300 }]
    assert.deepEqual(await shard.settle(settlement({ retry })), { kind: 'settled' })
    assert.deepEqual(await shard.lease(ALL, 0), [])
    const [again, ...more] = await shard.lease(ALL, 10_000)
    const waitedMs = performance.now() - start
    assert.ok(waitedMs >= 290 && waitedMs < 3000, `came after ${waitedMs} ms`)
    assert.equal(more.length, 0)
    assert.deepEqual({ ...again, id: one.id }, { ...one, attempts: 3, deliveryCount: 2 })
    await ack(shard, [again, two])
    assert.deepEqual(await leaseAll(shard), [])
  },

  'a retry settled while a lease is waiting is given to that lease': async (fixture) => {
    await store(await fixture.producer(), [batch(1)])
    const shard = await fixture.owner()
    const [entry] = await leaseAll(shard)
    const waiting = shard.lease(ALL, 30_000)
    await shard.settle(settlement({ retry: [{ id: entry.id, priority: 1, attempts: 1, afterMs: 20 }] }))
    assert.deepEqual(seqs(await waiting), [1])
  },

  'retries come in the order in which they are due, to whoever owns the shard then': async (fixture) => {
    await store(await fixture.producer(), batches(1, 4))
    const first = await fixture.owner()
    const entries = await leaseAll(first)
    const delays = [120, 40, 80]
    const retry = delays.map((afterMs, i) => ({
      id: entries[i].id,
      priority: entries[i].priority,
      attempts: 1,
      afterMs,
    }))
    await first.settle(settlement({ ack: [entries[3].id], retry }))
    await first.release()
    const second = await fixture.owner('holder-b')
    const came: number[] = []
    while (came.length < 3) {
      const some = await second.lease(ALL, 10_000)
      assert.notEqual(some.length, 0)
      for (const { attempts } of some) assert.equal(attempts, 1)
      came.push(...seqs(some))
    }
    assert.deepEqual(came, [2, 3, 1])
  },

  'retrying again and again counts each attempt and delivery': async (fixture) => {
    await store(await fixture.producer(), [batch(1)])
    const shard = await fixture.owner()
    for (let attempts = 0; attempts < 5; attempts++) {
      const [entry] = await shard.lease(ALL, 10_000)
      assert.equal(entry.attempts, attempts)
      assert.equal(entry.deliveryCount, attempts + 1)
      await shard.settle(
        settlement({ retry: [{ id: entry.id, priority: entry.priority, attempts: attempts + 1, afterMs: 0 }] }),
      )
    }
  },

  'a dead letter leaves the stream and is counted': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), batches(1, 3))
    const shard = await fixture.owner('holder-b')
    const [one, two] = await leaseAll(shard)
    const dead = { id: one.id, priority: one.priority, class: 'unreadable', message: 'not a batch: é '.repeat(1000) }
    await shard.settle(settlement({ deadLetter: [dead], ack: [two.id] }))
    assert.deepEqual(await shard.settle(settlement({ deadLetter: [dead] })), { kind: 'settled' })
    const [depth] = await stream.depths()
    assert.equal(depth.deadLetters, 1)
    assert.deepEqual([depth.entries, depth.samples, depth.bytes], [1, 10, 10])
    await shard.release()
    assert.deepEqual(seqs(await leaseAll(await fixture.owner('holder-c'))), [3])
  },

  'an entry is buried in parts, each a dead letter, and the rest of it is settled with them': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), batches(1, 2))
    const shard = await fixture.owner('holder-b')
    const [{ id, priority, correlationId }] = await leaseAll(shard)
    const deadLetter = [3, 7].map((row) => ({
      ...{ id, priority, class: 'handler-error', message: `sample ${row} of 10` },
      part: { correlationId: `${correlationId}#${row}`, samples: 1, firstTakenAtUs: row, body: text(`part ${row}`) },
    }))
    const order = settlement({ deadLetter, state: new Map([['row', text('with it')]]) })
    assert.deepEqual(await shard.settle(order), { kind: 'settled' })
    assert.deepEqual(await shard.settle(settlement({ deadLetter })), { kind: 'settled' })
    const [depth] = await stream.depths()
    assert.deepEqual([depth.entries, depth.samples, depth.bytes, depth.deadLetters], [1, 10, 10, 2])
    assert.deepEqual(readable(await shard.loadState()), { row: 'with it' })
    await shard.release()
    assert.deepEqual(seqs(await leaseAll(await fixture.owner('holder-c'))), [2])
  },

  'the first order for an entry decides whether it is buried whole or in parts': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), batches(1, 2))
    const shard = await fixture.owner('holder-b')
    const entries = await leaseAll(shard)
    const [whole, inParts] = entries.map(({ id, priority }) => ({ id, priority, class: 'test', message: 'dead' }))
    const part = { correlationId: 'part', samples: 1, firstTakenAtUs: 1, body: text('part') }
    const orders = [whole, { ...whole, part }, { ...inParts, part }, inParts, { ...inParts, part }]
    await shard.settle(settlement({ deadLetter: orders }))
    const [depth] = await stream.depths()
    assert.deepEqual([depth.entries, depth.samples, depth.bytes, depth.deadLetters], [0, 0, 0, 3])
  },

  'a retry may ask for one handler from then on': async (fixture) => {
    await store(await fixture.producer(), [batch(1)])
    const shard = await fixture.owner()
    const [entry] = await leaseAll(shard)
    const { id, priority } = entry
    const retry = [{ id, priority, attempts: 0, afterMs: 0, handler: 'my.handler' }]
    await shard.settle(settlement({ retry }))
    const [again] = await shard.lease(ALL, 10_000)
    assert.deepEqual({ ...again, id }, { ...entry, handler: 'my.handler', deliveryCount: 2 })
  },

  'an entry that is put back untouched comes again as for the first time, as often as that is done': async (
    fixture,
  ) => {
    await store(await fixture.producer(), [batch(1)])
    const first = await fixture.owner()
    for (let round = 0; round < 4; round++) {
      const [{ id, priority, deliveryCount }] = await first.lease(ALL, 10_000)
      assert.equal(deliveryCount, 1)
      await first.settle(settlement({ retry: [{ id, priority, attempts: 0, afterMs: 0, isUntouched: true }] }))
    }
    const [{ deliveryCount }] = await first.lease(ALL, 10_000)
    assert.equal(deliveryCount, 1)
    await first.release()
    assert.equal((await leaseAll(await fixture.owner('holder-b')))[0].deliveryCount, 2)
  },

  'one settlement does all its parts together': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), batches(1, 4))
    const shard = await fixture.owner('holder-b')
    const [one, two, three] = await leaseAll(shard)
    const result = await shard.settle({
      ack: [one.id],
      retry: [{ id: two.id, priority: two.priority, attempts: 1, afterMs: 60_000 }],
      deadLetter: [{ id: three.id, priority: three.priority, class: 'test', message: 'one of three' }],
      state: new Map([['row', text('saved')]]),
    })
    assert.deepEqual(result, { kind: 'settled' })
    const [depth] = await stream.depths()
    assert.deepEqual([depth.entries, depth.delayed, depth.deadLetters], [2, 1, 1])
    assert.deepEqual(readable(await shard.loadState()), { row: 'saved' })
    await shard.release()
    assert.deepEqual(seqs(await leaseAll(await fixture.owner('holder-c'))), [4])
  },
}
