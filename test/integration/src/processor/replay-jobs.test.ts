import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { systemClock } from '#core/time/clock'
import type { OwnedShard } from '#core/transport/batch-stream'
import type { DeadLetterBox } from '#core/transport/dead-letters'
import * as redisStore from '#core/transport/redis/redis-stream'
import * as embeddedStore from '#src/embedded/embedded-stream'
import { purgeLetters } from '#src/processor/dead-letters/purge'
import { noteName, type ReplayJob } from '#src/processor/dead-letters/replay-job'
import { ReplayJobs } from '#src/processor/dead-letters/replay-jobs'
import { batch, owned, settlement, store } from '#test/conformance/batch-stream-fixture'
import { allLetters, die, leaseOne, seqsOf } from '#test/conformance/dead-letters/dead-letter-fixture'
import { startRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'

const root = await temporaryDirectory('replay-jobs')
const redis = await startRedis()
after(() => redis.stop())

/** A store with one owned shard, in which the batches 1 .. `letters` have died. */
interface Graveyard {
  box: DeadLetterBox
  shard: OwnedShard
  close(): Promise<void>
}

async function graveyard(module: typeof redisStore | typeof embeddedStore, letters: number): Promise<Graveyard> {
  const connection = { host: '127.0.0.1', port: redis.port, queueName: `test:${randomUUID()}` }
  const options = { ...connection, directory: join(root, randomUUID()), shards: 2 }
  const producer = await module.openBatchProducer(options)
  const stream = await module.openBatchStream(options, 'owner')
  const box = await module.openDeadLetterBox(options)
  const shard = owned(await stream.own(0, 600_000))
  await store(
    producer,
    Array.from({ length: letters }, (_, i) => batch(i + 1)),
  )
  for (let seq = 1; seq <= letters; seq++) await die(shard, await leaseOne(shard), seq % 2 === 0 ? 'even' : 'odd')
  const close = async () => {
    await Promise.all([box.close(), producer.close()])
    await stream.close()
  }
  return { box, shard, close }
}

function running(job: ReplayJob | { refused: string } | undefined): ReplayJob {
  assert.ok(job !== undefined && 'record' in job, JSON.stringify(job))
  return job
}

async function leaseSeqs(shard: OwnedShard): Promise<number[]> {
  const entries = await shard.lease({ maxEntries: 1000, maxBytes: 1e9 }, 0)
  await shard.settle(settlement({ ack: entries.map(({ id }) => id) }))
  return entries.map(({ correlationId }) => Number(correlationId.split('.').at(-1))).sort((a, b) => a - b)
}

for (const [name, module] of Object.entries({ Redis: redisStore, 'the embedded store': embeddedStore })) {
  describe(`replays on ${name}`, () => {
    it('take what the filter finds, as many as wanted, the oldest first', async () => {
      const { box, shard, close } = await graveyard(module, 20)
      const jobs = new ReplayJobs(systemClock, 3)
      const job = running(await jobs.start(box, { filter: { class: 'odd' }, ratePerSecond: 1000, limit: 4 }))
      await job.ended
      assert.deepEqual([job.record.state, job.record.counts.replayed], ['done', 4])
      assert.deepEqual(await leaseSeqs(shard), [1, 3, 5, 7])
      assert.deepEqual(
        (await jobs.list(box)).map(({ id, state }) => [id, state]),
        [[job.record.id, 'done']],
      )
      await close()
    })

    it('keep to their rate', async () => {
      const { box, close } = await graveyard(module, 12)
      const startMs = performance.now()
      const job = running(await new ReplayJobs(systemClock, 3).start(box, { filter: {}, ratePerSecond: 20 }))
      await job.ended
      assert.equal(job.record.counts.replayed, 12)
      // The last step need not be waited for.
      assert.ok(performance.now() - startMs >= (8 / 20) * 1000)
      await close()
    })

    it('are aborted by another process, and gone on with by a third, each letter once', async () => {
      const { box, shard, close } = await graveyard(module, 60)
      const job = running(await new ReplayJobs(systemClock, 3).start(box, { filter: {}, ratePerSecond: 25 }))
      const other = new ReplayJobs(systemClock, 3)
      const refused = await other.resume(box, job.record.id)
      assert.ok(refused !== undefined && 'refused' in refused)
      assert.equal(await other.abort(box, job.record.id), true)
      await job.ended
      assert.equal(job.record.state, 'aborted')
      assert.ok(job.record.counts.replayed < 60)
      const rest = running(await new ReplayJobs(systemClock, 3).resume(box, job.record.id))
      rest.record.ratePerSecond = 10_000
      await rest.ended
      assert.deepEqual([rest.record.state, rest.record.counts.replayed], ['done', 60])
      assert.deepEqual(
        await leaseSeqs(shard),
        Array.from({ length: 60 }, (_, i) => i + 1),
      )
      const done = await other.resume(box, job.record.id)
      assert.ok(done !== undefined && 'refused' in done)
      assert.equal(await other.resume(box, 'no such job'), undefined)
      assert.equal(await other.abort(box, 'no such job'), false)
      await close()
    })

    it('do not run in circles with letters that die again, and leave the worn-out ones', async () => {
      const { box, shard, close } = await graveyard(module, 6)
      const jobs = new ReplayJobs(systemClock, 2)
      for (let round = 0; round < 3; round++) {
        const replaying = jobs.start(box, { filter: {}, ratePerSecond: 2 + 100 * round })
        const job = running(await replaying)
        const dying = round < 2 ? 6 : 0
        for (let i = 0; i < dying; i++) await die(shard, await leaseOne(shard), 'again')
        await job.ended
        assert.equal(job.record.counts.replayed, dying)
        assert.equal(job.record.counts['worn-out'], round < 2 ? 0 : 6)
      }
      const forced = running(await jobs.start(box, { filter: {}, ratePerSecond: 1000, force: true }))
      await forced.ended
      assert.equal(forced.record.counts.replayed, 6)
      await close()
    })

    it('whose process died can be gone on with once their record is old', async () => {
      const { box, close } = await graveyard(module, 4)
      const jobs = new ReplayJobs(systemClock, 3)
      const job = running(await jobs.start(box, { filter: {}, ratePerSecond: 1000, limit: 2 }))
      await job.ended
      const left = { ...job.record, state: 'running', limit: undefined, savedAtMs: Date.now() - 60_000 }
      await box.writeNote(noteName(job.record.id), JSON.stringify(left))
      const [stale] = await jobs.list(box)
      assert.equal(stale.state, 'failed')
      const rest = running(await jobs.resume(box, job.record.id))
      await rest.ended
      assert.deepEqual([rest.record.state, rest.record.counts.replayed], ['done', 4])
      await close()
    })

    it('are not confused with purges, which take exactly what was expected', async () => {
      const { box, close } = await graveyard(module, 9)
      const dry = await purgeLetters(box, { class: 'odd' }, undefined)
      assert.deepEqual(
        [dry.kind, dry.found.letters, dry.found.samples, dry.found.byClass],
        ['dry-run', 5, 50, { odd: 5 }],
      )
      assert.equal((await purgeLetters(box, { class: 'odd' }, 4)).kind, 'other-count')
      assert.equal((await allLetters(box)).length, 9)
      const done = await purgeLetters(box, { class: 'odd' }, 5)
      assert.ok(done.kind === 'purged' && done.purged === 5)
      assert.deepEqual(seqsOf(await allLetters(box)), [2, 4, 6, 8])
      await close()
    })
  })
}
