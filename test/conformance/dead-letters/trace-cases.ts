import assert from 'node:assert/strict'
import { parseBatchId, partId } from '#core/model/batch'
import type { BatchTrace } from '#core/transport/batch-tracer'
import { ack, batch, batches, settlement, store } from '../batch-stream-fixture.js'
import { allLetters, type DeadLetterFixture, die, leaseOne } from './dead-letter-fixture.js'

type Cases = Readonly<Record<string, (fixture: DeadLetterFixture) => Promise<void>>>

const traceOf = async (
  fixture: DeadLetterFixture,
  seq: number,
  shard = 0,
  producer = 'hub-1.r0',
): Promise<BatchTrace> => (await fixture.tracer()).trace({ producer, epoch: 1_700_000_000_000_000, shard, seq })

export const traceCases: Cases = {
  'a batch is found in each stage of its life': async (fixture) => {
    await store(await fixture.producer(), [batch(1, { priority: 2, samples: 3, body: new Uint8Array(9).fill(200) })])
    const waiting = await traceOf(fixture, 1)
    assert.equal(waiting.owner, undefined)
    assert.equal(waiting.highWaterSeq, 1)
    assert.equal(waiting.places.length, 1)
    const live = { priority: 2, attempts: 0, deliveries: 0, generation: 0, samples: 3, bytes: 9 }
    const [place] = waiting.places
    assert.ok(place.kind === 'waiting' && place.storedAtMs !== undefined)
    assert.ok(Math.abs(place.storedAtMs - Date.now()) < 60_000)
    assert.deepEqual(place, { kind: 'waiting', storedAtMs: place.storedAtMs, ...live })

    const shard = await fixture.owner('holder-b')
    const { id, priority } = await leaseOne(shard)
    const inFlight = await traceOf(fixture, 1)
    assert.equal(inFlight.owner, 'holder-b')
    const [leased] = inFlight.places
    assert.ok(leased.kind === 'in-flight')
    assert.deepEqual([leased.owner, leased.deliveries], ['holder-b', 1])

    await shard.settle(settlement({ retry: [{ id, priority, attempts: 1, afterMs: 50_000 }] }))
    const [delayed] = (await traceOf(fixture, 1)).places
    assert.ok(delayed.kind === 'delayed')
    assert.ok(delayed.dueAtMs > Date.now() + 30_000 && delayed.dueAtMs < Date.now() + 70_000)
    assert.deepEqual([delayed.attempts, delayed.deliveries, delayed.bytes, delayed.samples], [1, 1, 9, 3])
  },

  'a batch that died is found with its letter, and again when it is replayed, and is gone when it is settled': async (
    fixture,
  ) => {
    const shard = await fixture.owner('holder-b')
    await fixture.bury(shard, 1, 3)
    const box = await fixture.box()
    const [letter, second] = await allLetters(box)
    const name = parseBatchId(letter.correlationId)
    assert.deepEqual(name, { producer: 'hub-1.r0', epoch: 1_700_000_000_000_000, shard: 0, seq: 1 })
    assert.deepEqual((await traceOf(fixture, 1)).places, [{ kind: 'dead', letter }])
    await box.replay([letter.id, second.id], 3)
    const [waiting] = (await traceOf(fixture, 1)).places
    assert.ok(waiting.kind === 'waiting')
    assert.deepEqual([waiting.generation, waiting.attempts, waiting.deliveries], [1, 0, 0])
    await ack(shard, [await leaseOne(shard)])
    await die(shard, await leaseOne(shard), 'again', 'and again')
    assert.deepEqual(await traceOf(fixture, 1), { places: [], highWaterSeq: 3, owner: 'holder-b', isComplete: true })
    const [again] = (await traceOf(fixture, 2)).places
    assert.ok(again.kind === 'dead')
    assert.deepEqual([again.letter.class, again.letter.generation], ['again', 1])
  },

  'parts of a batch that died are found from the batch, also when they are replayed, and not from a longer number':
    async (fixture) => {
      await store(await fixture.producer(), batches(1, 20))
      const shard = await fixture.owner('holder-b')
      const entries = await shard.lease({ maxEntries: 20, maxBytes: 1e9 }, 5000)
      const dead = entries.slice(1, 2).flatMap(({ id, priority, correlationId }) =>
        [0, 3].map((row) => {
          const part = {
            correlationId: partId(correlationId, row),
            samples: 1,
            firstTakenAtUs: row,
            body: Uint8Array.of(row),
          }
          return { id, priority, class: 'handler-error', message: `row ${row}`, part }
        }),
      )
      const rest = entries.filter((_, i) => i !== 1)
      await shard.settle(settlement({ ack: rest.map(({ id }) => id), deadLetter: dead }))
      const letters = await allLetters(await fixture.box())
      assert.deepEqual(
        (await traceOf(fixture, 2)).places.map((place) => place.kind === 'dead' && place.letter.id).sort(),
        letters.map(({ id }) => id).sort(),
      )
      assert.deepEqual((await traceOf(fixture, 20)).places, [])
      await (await fixture.box()).replay([letters[0].id], 3)
      const kinds = (await traceOf(fixture, 2)).places.map(({ kind }) => kind)
      assert.deepEqual(kinds.sort(), ['dead', 'waiting'])
    },

  'what was never stored has no place, and is beyond the high water': async (fixture) => {
    await store(await fixture.producer(), batches(1, 5))
    assert.deepEqual(await traceOf(fixture, 6), { places: [], highWaterSeq: 5, owner: undefined, isComplete: true })
    const nobody = { places: [], highWaterSeq: undefined, owner: undefined, isComplete: true }
    assert.deepEqual(await traceOf(fixture, 1, 0, 'another'), nobody)
    assert.deepEqual(await traceOf(fixture, 1, 63), nobody)
  },

  'one batch is found among many, settled around it': async (fixture) => {
    await store(await fixture.producer(), batches(1, 600))
    const shard = await fixture.owner('holder-b')
    const entries = await shard.lease({ maxEntries: 500, maxBytes: 1e9 }, 5000)
    await ack(
      shard,
      entries.filter((_, i) => i !== 299),
    )
    assert.deepEqual((await traceOf(fixture, 299)).places, [])
    assert.equal((await traceOf(fixture, 300)).places[0].kind, 'in-flight')
    assert.deepEqual((await traceOf(fixture, 301)).places, [])
    assert.equal((await traceOf(fixture, 600)).places.length, 1)
  },
}
