import assert from 'node:assert/strict'
import type { DeadLetterBox } from '#core/transport/dead-letters'
import { ALL, ack, batch, leaseAll, numbers, owned, seqs, settlement, store } from '../batch-stream-fixture.js'
import { allLetters, type DeadLetterFixture, die, leaseOne, seqsOf } from './dead-letter-fixture.js'

type Cases = Readonly<Record<string, (fixture: DeadLetterFixture) => Promise<void>>>

const idsOf = async (box: DeadLetterBox) => (await allLetters(box)).map(({ id }) => id)

export const changeCases: Cases = {
  'a replayed letter is back in its stream as if it had never been tried': async (fixture) => {
    const stream = await fixture.stream()
    await store(await fixture.producer(), [batch(1, { priority: 0, body: Uint8Array.from([1, 2, 3]) }), batch(2)])
    const shard = await fixture.owner('holder-b')
    const { id, priority } = await leaseOne(shard)
    await shard.settle(settlement({ retry: [{ id, priority, attempts: 3, afterMs: 0 }] }))
    await die(shard, await leaseOne(shard))
    const box = await fixture.box()
    assert.deepEqual(await box.replay(await idsOf(box), 3), ['replayed'])
    assert.deepEqual(await allLetters(box), [])
    const entries = await leaseAll(shard)
    assert.deepEqual(seqs(entries).sort(), [1, 2])
    const entry = entries.find(({ priority: its }) => its === 0)!
    assert.deepEqual([entry.attempts, entry.deliveryCount, entry.priority, entry.samples], [0, 1, 0, 10])
    assert.equal(entry.correlationId, 'hub-1.r0.1700000000000000.0.1')
    assert.equal(entry.firstTakenAtUs, 1_700_000_000_000_001)
    assert.deepEqual([...entry.body], [1, 2, 3])
    const depth = (await stream.depths())[0]
    assert.deepEqual([depth.entries, depth.samples, depth.deadLetters], [2, 20, 0])
    await ack(shard, [entry])
    assert.equal((await stream.depths())[0].entries, 1)
    assert.equal((await box.totals()).replayed, 1)
  },

  'a waiting owner is given a replayed letter at once': async (fixture) => {
    const shard = await fixture.owner()
    await fixture.bury(shard, 1, 1)
    const box = await fixture.box()
    const ids = await idsOf(box)
    const waiting = shard.lease(ALL, 10_000)
    await box.replay(ids, 3)
    assert.deepEqual(seqs(await waiting), [1])
  },

  'letters of a shard that nobody owns are replayed and purged, too': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 3)
    await shard.release()
    const box = await fixture.box()
    const [one, two] = await idsOf(box)
    assert.deepEqual(await box.replay([two], 3), ['replayed'])
    assert.equal(await box.purge([one]), 1)
    assert.deepEqual(seqsOf(await allLetters(box)), [3])
    const next = owned(await (await fixture.stream('holder-c')).own(0, 60_000))
    assert.deepEqual(seqs(await leaseAll(next)), [2])
  },

  'a letter is replayed once, whoever asks how often': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 20)
    const boxes = await Promise.all([fixture.box(), fixture.box(), fixture.box()])
    const ids = await idsOf(boxes[0])
    const outcomes = await Promise.all(boxes.map((box, i) => box.replay([...ids, ids[i]], 3)))
    const flat = outcomes.flat()
    assert.equal(flat.filter((outcome) => outcome === 'replayed').length, 20)
    assert.equal(flat.filter((outcome) => outcome === 'gone').length, 43)
    assert.deepEqual(
      seqs(await leaseAll(shard)).sort((a, b) => a - b),
      numbers(1, 20),
    )
  },

  'a replayed letter is no duplicate, and its producer still cannot store it twice': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 2)
    const box = await fixture.box()
    await box.replay((await idsOf(box)).slice(0, 1), 3)
    const producer = await fixture.producer()
    assert.deepEqual(await producer.append([batch(1), batch(2)]), [{ kind: 'duplicate' }, { kind: 'duplicate' }])
    await store(producer, [batch(3)])
    assert.deepEqual(
      seqs(await leaseAll(shard)).sort((a, b) => a - b),
      [1, 3],
    )
  },

  'one that dies again is of the next generation, and worn out in the end unless forced': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 1)
    const box = await fixture.box()
    for (let generation = 0; generation < 2; generation++) {
      const [letter] = await allLetters(box)
      assert.equal(letter.generation, generation)
      assert.deepEqual(await box.replay([letter.id], 2), ['replayed'])
      const { id, priority } = await leaseOne(shard)
      await shard.settle(settlement({ retry: [{ id, priority, attempts: 1, afterMs: 0 }] }))
      await die(shard, await leaseOne(shard))
    }
    const [letter] = await allLetters(box)
    assert.equal(letter.generation, 2)
    assert.deepEqual(await box.replay([letter.id], 2), ['worn-out'])
    assert.deepEqual(await box.replay([letter.id], undefined), ['replayed'])
    assert.equal((await leaseOne(shard)).attempts, 0)
  },

  'a replayed letter outlives its owner': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 1)
    const box = await fixture.box()
    await box.replay(await idsOf(box), 3)
    const first = await leaseOne(shard)
    assert.equal(first.deliveryCount, 1)
    await shard.release()
    const next = await leaseOne(owned(await (await fixture.stream('holder-c')).own(0, 60_000)))
    assert.deepEqual([seqs([next]), next.deliveryCount, [...next.body]], [[1], 2, [...batch(1).body]])
  },

  'purged letters are gone and counted': async (fixture) => {
    const stream = await fixture.stream()
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 5)
    const box = await fixture.box()
    const ids = await idsOf(box)
    assert.equal(await box.purge([ids[0], ids[2], ids[2], '0-1-1', 'no id']), 2)
    assert.equal(await box.get(ids[0]), undefined)
    assert.deepEqual(await box.replay([ids[0], ids[1]], 3), ['gone', 'replayed'])
    assert.deepEqual(seqsOf(await allLetters(box)), [4, 5])
    assert.equal((await stream.depths())[0].deadLetters, 2)
    const { entries, replayed, purged, dropped } = await box.totals()
    assert.deepEqual([entries, replayed, purged, dropped], [2, 1, 2, { entries: 0, bytes: 0, age: 0 }])
  },

  'of the bytes of letters none is left when all letters are gone': async (fixture) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 4)
    const box = await fixture.box()
    assert.equal((await box.totals()).bytes, 4 * batch(1).body.byteLength)
    const ids = await idsOf(box)
    await box.purge(ids.slice(0, 2))
    await box.replay(ids.slice(2), 3)
    assert.equal((await box.totals()).bytes, 0)
  },
}
