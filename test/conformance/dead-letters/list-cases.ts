import assert from 'node:assert/strict'
import { shardOf } from '#core/model/shard'
import { fingerprintOf } from '#core/transport/dead-letters/fingerprint'
import { encodeBatch } from '#test/support/encoded-batches'
import { batch, numbers, SHARDS, settlement, store } from '../batch-stream-fixture.js'
import { allLetters, type DeadLetterFixture, die, leaseOne, seqsOf } from './dead-letter-fixture.js'

type Cases = Readonly<Record<string, (fixture: DeadLetterFixture) => Promise<void>>>

export const listCases: Cases = {
  'a letter says all that is known of it and gives its body back': async (fixture) => {
    const body = Uint8Array.from([0, 255, 10, 13, 128])
    await store(await fixture.producer(), [batch(1, { shard: 1, priority: 2, handler: 'telemetry.store', body })])
    const shard = await fixture.owner('holder-b', 1)
    const { id, priority } = await leaseOne(shard)
    await shard.settle(settlement({ retry: [{ id, priority, attempts: 1, afterMs: 0 }] }))
    await die(shard, await leaseOne(shard), 'TLM_HANDLER_FAILED', 'sensor 17 said é')
    const box = await fixture.box()
    const [letter] = await allLetters(box)
    assert.match(letter.id, /^1-\d{13}-\d+$/)
    assert.ok(Math.abs(letter.diedAtMs - Date.now()) < 60_000)
    assert.deepEqual(letter, {
      ...{ id: letter.id, shard: 1, diedAtMs: letter.diedAtMs },
      class: 'TLM_HANDLER_FAILED',
      message: 'sensor 17 said é',
      fingerprint: fingerprintOf('TLM_HANDLER_FAILED', 'sensor 4 said é'),
      correlationId: 'hub-1.r0.1700000000000000.1.1',
      handler: 'telemetry.store',
      ...{ priority: 2, attempts: 1, deliveries: 2, generation: 0, samples: 10, bytes: 5 },
      firstTakenAtUs: 1_700_000_000_000_001,
      holder: 'holder-b',
    })
    const found = await box.get(letter.id)
    assert.deepEqual(found?.letter, letter)
    assert.deepEqual([...(found?.body ?? [])], [...body])
  },

  'what is no letter is not found': async (fixture) => {
    const box = await fixture.box()
    for (const id of ['0-1-1', '63-1700000000000-0', 'no id', '']) assert.equal(await box.get(id), undefined)
    assert.deepEqual(await box.page({ filter: {}, order: 'newest-first', limit: 10 }), {
      letters: [],
      cursor: undefined,
    })
    assert.deepEqual(await box.groups(10), [])
    await assert.rejects(box.page({ filter: {}, order: 'newest-first', limit: 10, cursor: 'nowhere' }), {
      code: 'TLM_OPTIONS_INVALID',
    })
  },

  'pages of any size give each letter of all shards once, in order of death, both ways': async (fixture) => {
    const [first, second] = [await fixture.owner('a', 0), await fixture.owner('b', 1)]
    for (let i = 0; i < 8; i++) {
      await fixture.bury(first, i + 1, i + 1)
      await fixture.bury(second, i + 1, i + 1)
    }
    const box = await fixture.box()
    const up = await allLetters(box)
    assert.equal(up.length, 16)
    assert.equal(new Set(up.map(({ id }) => id)).size, 16)
    assert.deepEqual(
      up.map(({ diedAtMs }) => diedAtMs),
      up.map(({ diedAtMs }) => diedAtMs).sort((a, b) => a - b),
    )
    for (const limit of [1, 3, 5, 16, 50]) {
      assert.deepEqual(await allLetters(box, { limit }), up)
      assert.deepEqual(await allLetters(box, { limit, order: 'newest-first' }), up.toReversed())
    }
  },

  'a filter lets through what matches all of it': async (fixture) => {
    const [first, second] = [await fixture.owner('a', 0), await fixture.owner('b', 1)]
    await fixture.bury(first, 1, 3, 'slow', 'took 5 s')
    await fixture.bury(first, 4, 5, 'slow', 'took 6 s and more')
    await fixture.bury(second, 1, 2, 'loud', 'took 7 s')
    const box = await fixture.box()
    const seqsWhere = async (filter: object, limit = 2) => seqsOf(await allLetters(box, { filter, limit }))
    assert.deepEqual(await seqsWhere({ class: 'slow' }), [1, 2, 3, 4, 5])
    assert.deepEqual(await seqsWhere({ class: 'loud' }), [1, 2])
    assert.deepEqual(await seqsWhere({ fingerprint: fingerprintOf('slow', 'took 99 s') }), [1, 2, 3])
    assert.deepEqual(await seqsWhere({ shard: 1 }), [1, 2])
    assert.deepEqual(await seqsWhere({ shard: 0, class: 'loud' }), [])
    assert.deepEqual(await seqsWhere({ correlationId: 'hub-1.r0.1700000000000000.0.4' }), [4])
    const all = await allLetters(box)
    const middle = all[3].diedAtMs
    const before = await allLetters(box, { filter: { toMs: middle }, order: 'newest-first', limit: 1 })
    const after = await allLetters(box, { filter: { fromMs: middle }, limit: 1 })
    assert.deepEqual([...before.reverse(), ...after], all)
    assert.deepEqual(await seqsWhere({ fromMs: all[6].diedAtMs + 1 }), [])
  },

  'a filter for a device lets through batches that name it, whether they can be read or not': async (fixture) => {
    const names = ['pump-1', 'pump-10', 'pump-1', 'é'.repeat(20)]
    const shardOfPump = shardOf('pump-1', SHARDS)
    const shard = await fixture.owner('a', shardOfPump)
    const bodies = names.map((device) => encodeBatch([{ device, channel: 'pump-10', value: 1, takenAtUs: 1e15 }]))
    const cut = bodies[0].slice(0, bodies[0].length - 8)
    const all = [...bodies, cut, new TextEncoder().encode('pump-1')]
    for (const [i, body] of all.entries()) {
      await store(await fixture.producer(), [batch(i + 1, { shard: shardOfPump, body })])
      await die(shard, await leaseOne(shard), i < 2 ? 'early' : 'late')
    }
    const box = await fixture.box()
    for (const limit of [1, 2, 50]) {
      assert.deepEqual(seqsOf(await allLetters(box, { filter: { device: 'pump-1' }, limit })), [1, 3, 5])
      const late = { class: 'late', device: 'pump-1', shard: shardOfPump }
      assert.deepEqual(seqsOf(await allLetters(box, { filter: late, limit, order: 'newest-first' })), [5, 3])
    }
    const of = async (filter: object) => seqsOf(await allLetters(box, { filter: { shard: shardOfPump, ...filter } }))
    assert.deepEqual(await of({ device: 'pump-10' }), [2])
    assert.deepEqual(await of({ device: 'é'.repeat(20) }), [4])
    assert.deepEqual(await of({ device: 'pump' }), [])
    assert.deepEqual(seqsOf(await allLetters(box, { filter: { device: 'pump-1', shard: 1 - shardOfPump } })), [])
  },

  'groups count the letters that died of the same, over all shards': async (fixture) => {
    const [first, second] = [await fixture.owner('a', 0), await fixture.owner('b', 1)]
    await fixture.bury(first, 1, 2, 'slow', 'took 1 s')
    await fixture.bury(second, 1, 1, 'slow', 'took 2 s')
    await fixture.bury(first, 3, 3, 'loud', 'a bang')
    const box = await fixture.box()
    const groups = await box.groups(10)
    assert.deepEqual(
      groups.map(({ class: kind, count, fingerprint }) => [kind, count, fingerprint]),
      [
        ['slow', 3, fingerprintOf('slow', 'took # s')],
        ['loud', 1, fingerprintOf('loud', 'a bang')],
      ],
    )
    const died = (await allLetters(box, { filter: { class: 'slow' } })).map(({ diedAtMs }) => diedAtMs)
    assert.deepEqual([groups[0].firstAtMs, groups[0].lastAtMs], [Math.min(...died), Math.max(...died)])
    assert.deepEqual(await box.groups(1), groups.slice(0, 1))
    const [letter] = await allLetters(box, { filter: { class: 'loud' } })
    assert.equal(await box.purge([letter.id]), 1)
    assert.deepEqual(await box.groups(10), groups.slice(0, 1))
  },

  'letters that came since a page do not disturb the pages after it': async (fixture) => {
    const shard = await fixture.owner()
    await fixture.bury(shard, 1, 4)
    const box = await fixture.box()
    const first = await box.page({ filter: {}, order: 'newest-first', limit: 2 })
    await fixture.bury(shard, 5, 6)
    const second = await box.page({ filter: {}, order: 'newest-first', limit: 10, cursor: first.cursor })
    assert.deepEqual(seqsOf([...first.letters, ...second.letters]), numbers(1, 4).reverse())
  },

  'notes are kept until they are removed': async (fixture) => {
    const box = await fixture.box()
    await box.writeNote('one', '{"a":1}')
    await box.writeNote('two', 'é')
    await box.writeNote('one', '{"a":2}')
    const read = async () => Object.fromEntries(await (await fixture.box()).readNotes())
    assert.deepEqual(await read(), { one: '{"a":2}', two: 'é' })
    await box.writeNote('one', undefined)
    assert.deepEqual(await read(), { two: 'é' })
  },
}
