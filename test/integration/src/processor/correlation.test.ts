import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import Database from 'libsql'
import { batchId, parseBatchId, wholeBatchOf } from '#core/model/batch'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { DeadLetter, DeadLetterBox } from '#core/transport/dead-letters'
import { openBatchProducer, openBatchTracer, openDeadLetterBox } from '#core/transport/redis/redis-stream'
import { pages } from '#src/processor/dead-letters/letter-count'
import { encodeBatch } from '#test/support/encoded-batches'
import { startRedis } from '#test/support/redis-server'
import { keepUntilEnd, queueAt } from '#test/support/redis-store'
import { repositoryFile } from '#test/support/repository'
import { SessionProcessor } from '#test/support/session-processor'
import { specOf } from '#test/support/shard-owner'

/** A long run sets `CORRELATION_BATCHES`. */
const BATCHES = Number(process.env.CORRELATION_BATCHES ?? 2000)
const SHARDS = 4
const SAMPLES = 5
const POISON = 6666
/** One in so many has a bad sample: retried, then searched. */
const BAD_EVERY = 25
/** One in so many cannot be read: dead at once, whole. */
const BROKEN_EVERY = 40
const BEGIN_US = 1_700_000_000_000_000

describe('every record of what became of a batch', () => {
  const keep = keepUntilEnd()

  it(`is found from its correlation id, over retries, searches and replays of ${BATCHES} batches (scenario 35)`, async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { shards: SHARDS })
    const producer = await keep(openBatchProducer(options))
    const box = await keep(openDeadLetterBox(options))
    const tracer = await keep(openBatchTracer(options))
    const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/picky.mjs')).href
    const picky = { type: 'test.picky', options: { poison: [POISON] }, moduleUrl }
    const handlers = [specOf('telemetry.analyze'), specOf('telemetry.store'), picky]
    const locator = { moduleUrl: import.meta.resolve('#core/transport/redis/redis-stream'), options }
    const processor = await keep(SessionProcessor.start(locator, handlers, { onWritten: () => {} }, { maxRetries: 1 }))
    /** Samples of every batch that was stored. */
    const stored = new Map<string, number>()
    let [number, letters] = [0, 0]
    const seal = (mayBeBad: boolean): SealedBatch => {
      const at = number++
      const shard = at % SHARDS
      const isBroken = mayBeBad && at % BROKEN_EVERY === 0
      const bad = mayBeBad && !isBroken && at % BAD_EVERY === 0 ? at % SAMPLES : undefined
      if (isBroken || bad !== undefined) letters++
      const samples = Array.from({ length: SAMPLES }, (_, row) => {
        return { device: `d${shard}`, value: row === bad ? POISON : row, takenAtUs: BEGIN_US + at * 1000 + row }
      })
      const header = { producer: 'hub', epoch: 1, seq: Math.floor(at / SHARDS) + 1 }
      stored.set(batchId(header, shard), SAMPLES)
      const body = isBroken ? Uint8Array.of(1, 2, 3) : encodeBatch(samples)
      const rest = { shard, priority: 1, handler: '*', samples: SAMPLES, firstTakenAtUs: BEGIN_US + at * 1000 } as const
      return { ...header, ...rest, body }
    }
    const append = async (count: number, mayBeBad: boolean) => {
      const outcomes = await producer.append(Array.from({ length: count }, () => seal(mayBeBad)))
      assert.ok(outcomes.every(({ kind }) => kind === 'stored'))
    }
    /** Good ones keep coming, or a handler that sees nothing but bad ones would be paused. */
    const buried = async (isThere: (all: DeadLetter[]) => boolean): Promise<DeadLetter[]> => {
      for (const untilMs = performance.now() + 60_000; performance.now() < untilMs; ) {
        await append(SHARDS, false)
        await pause(20)
        const all = await allLetters(box)
        if (isThere(all)) return all
      }
      throw new Error(`Not all letters in time: ${(await allLetters(box)).length} of ${letters}.`)
    }

    for (let sent = 0; sent < BATCHES; sent += 100) await append(100, true)
    const first = await buried((all) => all.length === letters)
    const again = first.filter((_, i) => i % 2 === 0).map(({ id }) => id)
    for (let from = 0; from < again.length; from += 100) await box.replay(again.slice(from, from + 100), 3)
    const last = await buried(
      (all) => all.length === letters && all.filter(({ generation }) => generation === 1).length === again.length,
    )
    while (processor.session.samplesInFlight > 0 || processor.session.backlog.entries > 0) await pause(20)

    const database = new Database(processor.databasePath, { readonly: true })
    const chunks = database.prepare('SELECT key, samples FROM chunks').all() as { key: string; samples: number }[]
    const findings = database.prepare('SELECT DISTINCT batch FROM findings').all() as { batch: string }[]
    database.close()
    const nameOf = (correlationId: string) => {
      const batch = wholeBatchOf(correlationId)
      return batch && batchId(batch, batch.shard)
    }
    const records = [...chunks.map(({ key }) => key), ...findings.map(({ batch }) => batch)]
    const orphans = [...records, ...last.map(({ correlationId }) => correlationId)].filter(
      (record) => !stored.has(nameOf(record) ?? ''),
    )
    assert.deepEqual(orphans, [])
    const ended = new Map<string, number>()
    const add = (correlationId: string, samples: number) => {
      const name = nameOf(correlationId)!
      ended.set(name, (ended.get(name) ?? 0) + samples)
    }
    for (const { key, samples } of chunks) add(key, samples)
    // A letter for one handler is of a batch that took effect with the others, while that one was paused.
    for (const { correlationId, samples, handler } of last) if (handler === '*') add(correlationId, samples)
    const wrong = [...stored].flatMap(([name, samples]) =>
      ended.get(name) === samples ? [] : [[name, ended.get(name)]],
    )
    assert.deepEqual(wrong, [], 'each sample of each batch is in a stored batch or a dead letter')

    for (const letter of last) {
      const { places } = await tracer.trace(wholeBatchOf(letter.correlationId)!)
      assert.deepEqual(places, [{ kind: 'dead', letter }], letter.correlationId)
    }
    const isDead = new Set(last.map(({ correlationId }) => nameOf(correlationId)))
    const settled = [...stored.keys()].filter((name) => !isDead.has(name))
    for (const name of settled.filter((_, i) => i % 50 === 0)) {
      const batch = parseBatchId(name)!
      const { places, highWaterSeq } = await tracer.trace(batch)
      assert.deepEqual(places, [], name)
      assert.ok(batch.seq <= highWaterSeq!)
    }
  })
})

async function allLetters(box: DeadLetterBox): Promise<DeadLetter[]> {
  const all: DeadLetter[] = []
  for await (const page of pages(box, {})) all.push(...page)
  return all
}
