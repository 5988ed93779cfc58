import assert from 'node:assert/strict'
import { batch, numbers } from '../batch-stream-fixture.js'
import { allLetters, type CreateDeadLetterStore, DeadLetterFixture, seqsOf } from './dead-letter-fixture.js'

type BoundCases = Readonly<Record<string, (create: CreateDeadLetterStore) => Promise<void>>>

const AMPLE = { maxEntries: 1000, maxBytes: 2 ** 20, maxAgeMs: 3_600_000 }

async function within(
  create: CreateDeadLetterStore,
  limits: Partial<typeof AMPLE>,
  run: (fixture: DeadLetterFixture) => Promise<void>,
): Promise<void> {
  const fixture = new DeadLetterFixture(await create({ ...AMPLE, ...limits }))
  try {
    await run(fixture)
  } finally {
    await fixture.end()
  }
}

export const boundCases: BoundCases = {
  'beyond the bound of letters the oldest are dropped and counted': (create) =>
    within(create, { maxEntries: 3 }, async (fixture) => {
      const shard = await fixture.owner()
      await fixture.bury(shard, 1, 8)
      const box = await fixture.box()
      assert.deepEqual(seqsOf(await allLetters(box)), [6, 7, 8])
      assert.deepEqual((await box.totals()).dropped, { entries: 5, bytes: 0, age: 0 })
      assert.deepEqual(
        (await box.groups(5)).map(({ count }) => count),
        [3],
      )
    }),

  'beyond the bound of bytes the oldest are dropped, but never the newest': (create) =>
    within(create, { maxBytes: 2 * batch(1).body.byteLength }, async (fixture) => {
      const shard = await fixture.owner()
      await fixture.bury(shard, 1, 5)
      const box = await fixture.box()
      assert.deepEqual(seqsOf(await allLetters(box)), [4, 5])
      assert.deepEqual((await box.totals()).dropped, { entries: 0, bytes: 3, age: 0 })
    }),

  'one letter larger than the bound stays until the next comes': (create) =>
    within(create, { maxBytes: 1 }, async (fixture) => {
      const shard = await fixture.owner()
      await fixture.bury(shard, 1, 1)
      const box = await fixture.box()
      assert.deepEqual(seqsOf(await allLetters(box)), [1])
      await fixture.bury(shard, 2, 2)
      assert.deepEqual(seqsOf(await allLetters(box)), [2])
    }),

  'letters that are too old are dropped when somebody looks': (create) =>
    within(create, { maxAgeMs: 1 }, async (fixture) => {
      const shard = await fixture.owner('holder-b')
      await fixture.bury(shard, 1, 3)
      await shard.release()
      const box = await fixture.box()
      for (const startMs = Date.now(); (await allLetters(box)).length > 0; await box.trim()) {
        assert.ok(Date.now() - startMs < 10_000)
      }
      assert.equal((await box.totals()).dropped.age, 3)
    }),

  'within the bounds nothing is dropped': (create) =>
    within(create, {}, async (fixture) => {
      const shard = await fixture.owner()
      await fixture.bury(shard, 1, 6)
      const box = await fixture.box()
      await box.trim()
      assert.deepEqual(seqsOf(await allLetters(box)), numbers(1, 6))
    }),
}
