import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { systemClock } from '#core/time/clock'
import { fingerprintOf } from '#core/transport/dead-letters/fingerprint'
import { openBatchProducer, openBatchStream, openDeadLetterBox } from '#src/embedded/embedded-stream'
import { createLogger } from '#src/host/logger'
import { LetterTrials } from '#src/processor/dead-letters/letter-trial'
import { batch, owned, store } from '#test/conformance/batch-stream-fixture'
import { allLetters, die, leaseOne } from '#test/conformance/dead-letters/dead-letter-fixture'
import { encodeBatch } from '#test/support/encoded-batches'
import { repositoryFile } from '#test/support/repository'
import { temporaryDirectory } from '#test/support/temporary-directory'

const fixture = (name: string) => pathToFileURL(repositoryFile(`test/fixtures/handlers/${name}`)).href

/** A batch of these values of one device, a second apart. */
const bodyOf = (...values: number[]) => encodeBatch(values.map((value, i) => ({ value, takenAtUs: 1e15 + i * 1e6 })))

test('a trial tells what would become of letters, and leaves them and the store as they are', async () => {
  const options = { directory: join(await temporaryDirectory('letter-trial'), 'data'), shards: 2 }
  const producer = await openBatchProducer(options)
  const stream = await openBatchStream(options, 'owner')
  const box = await openDeadLetterBox(options)
  const shard = owned(await stream.own(0, 60_000))
  const unreadable = Uint8Array.of(1, 2, 3)
  const bodies = [bodyOf(1, 2), bodyOf(13, 13), bodyOf(1, 13, 2), unreadable, bodyOf(66), bodyOf(3), bodyOf(13)]
  await store(
    producer,
    bodies.map((body, i) => batch(i + 1, { body })),
  )
  for (const _ of bodies) await die(shard, await leaseOne(shard))
  const before = [await allLetters(box), await box.totals(), await stream.depths()]

  const handlers = [
    { type: 'test.picky', moduleUrl: fixture('picky.mjs'), options: { poison: [13] } },
    { type: 'test.killing', moduleUrl: fixture('killing.mjs'), options: { poison: 66, how: 'exit' } },
    { type: 'telemetry.analyze', options: {} },
  ]
  const limits = { maxHeapBytes: 64 * 2 ** 20, runDeadlineMs: 10_000 }
  const log = createLogger({ name: 'test', level: 'silent' })
  const trials = new LetterTrials({ ...limits, workerData: { handlers } }, systemClock, log)
  const [report, second] = await Promise.all([trials.run(box, {}), trials.run(box, {})])
  assert.equal(second, undefined)
  assert.ok(report !== undefined)
  const { failures, ...counts } = report
  assert.deepEqual(counts, { tried: 7, passed: 2, partly: 1, failed: 4, bodiless: 0, isComplete: true })
  const byClass = failures.map(({ class: kind, letters }) => `${letters} ${kind}`).sort()
  assert.deepEqual(byClass, ['1 crash-loop', '1 handler-error', '1 unreadable', '2 handler-error'])
  const ids = (before[0] as { id: string }[]).map(({ id }) => id)
  const thrown = failures.find(({ letters }) => letters === 2)!
  assert.equal(thrown.example, ids[1])
  assert.equal(thrown.fingerprint, fingerprintOf('handler-error', thrown.message))
  assert.match(thrown.message, /no 13/)
  assert.match(failures.find(({ example }) => example === ids[2])!.message, /^Sample 1 of .*no 13/)
  assert.equal(failures.find(({ example }) => example === ids[4])!.class, 'crash-loop')
  assert.deepEqual([await allLetters(box), await box.totals(), await stream.depths()], before)

  const some = await trials.run(box, { toMs: 1 })
  assert.deepEqual([some?.tried, some?.isComplete, some?.failures], [0, true, []])
  const broken = { type: 'test.broken', moduleUrl: fixture('not-there.mjs'), options: {} }
  const failing = new LetterTrials({ ...limits, workerData: { handlers: [broken] } }, systemClock, log)
  await assert.rejects(failing.run(box, {}), { code: 'TLM_OPTIONS_INVALID' })

  const ending = trials.run(box, {})
  await trials.close()
  assert.equal((await ending)?.isComplete, false)
  assert.equal(await trials.run(box, {}), undefined)
  await Promise.all([box.close(), producer.close()])
  await stream.close()
})
