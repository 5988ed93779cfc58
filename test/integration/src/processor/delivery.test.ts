import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { BatchProducer } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { imbalanceOf, type ProcessorFigures } from '#src/processor/processor-figures'
import { encodeBatch } from '#test/support/encoded-batches'
import { fetchFindings } from '#test/support/findings-api'
import { repositoryFile } from '#test/support/repository'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

/** Kills between an effect and its acknowledgement; a long run sets TELEMETRY_EFFECT_KILLS. */
const EFFECT_KILLS = Number(process.env.TELEMETRY_EFFECT_KILLS ?? 10)
const LEASE_MS = 400
const STOP_DEADLINE_MS = 4000

const root = await temporaryDirectory('delivery')
const handlerFile = repositoryFile('test/fixtures/handlers/effect.mjs')

interface Place {
  data: string
  effects: string
  producer: BatchProducer
  args: string[]
}

/** A store with one shard, and a configuration whose handler makes effects. */
async function placeAt(name: string, options: string, more = '', leaseMs = LEASE_MS): Promise<Place> {
  const data = join(root, name)
  const effects = join(data, 'effects')
  await mkdir(effects, { recursive: true })
  const config = join(data, 'processor.yaml')
  const effect = `{ type: test.effect, module: ${handlerFile}, directory: ${effects}${options} }`
  await writeFile(
    config,
    `handlers: [{ type: telemetry.analyze }, ${effect}]\nlease_ms: ${leaseMs}\nstore: { shards: 1 }\n${more}`,
  )
  const producer = await openBatchProducer({ directory: data, shards: 1 })
  return { data, effects, producer, args: ['--data', data, '--config', config] }
}

async function effectsIn({ effects }: Place): Promise<{ asked: number; made: string[] }> {
  const made = (await readdir(effects)).filter((name) => name !== 'asked').map(decodeURIComponent)
  const asked = (await readFile(join(effects, 'asked'), 'utf8')).trim().split('\n').length
  return { asked, made }
}

const noPause = 'checkpoint: { interval_ms: 20, max_entries: 10 }\n'

describe('the effect of a handler', () => {
  it(`is made once under its key when the process is killed between it and the acknowledgement, ${EFFECT_KILLS} times`, async () => {
    const place = await placeAt('effects', ', kill: true', noPause)
    const feed = new TelemetryFeed(place.producer, 1)
    let kills = 0
    let processor = runProcessor(place.args)
    for (; kills < EFFECT_KILLS; kills++) {
      await feed.append(2)
      assert.equal(await processor.ended(), null)
      processor = runProcessor(place.args)
    }
    const { ledger, backlog } = await processor.reaches(
      'all settled',
      ({ backlog, shardsOwned, ledger }) => shardsOwned === 1 && backlog.entries === 0 && ledger.inFlight === 0,
      60_000,
    )
    assert.deepEqual([imbalanceOf(ledger), backlog.deadLetters], [0, 0])
    const [{ body }] = await fetchFindings(await processor.ready(), { handler: 'telemetry.analyze' })
    assert.equal(body.count, 2 * EFFECT_KILLS)
    await processor.stop()
    const { asked, made } = await effectsIn(place)
    const expected = Array.from({ length: EFFECT_KILLS }, (_, i) => `feed.1.0.${i + 1}/test.effect/v7`)
    assert.deepEqual(made.sort(), expected.sort())
    assert.ok(asked >= 2 * EFFECT_KILLS, `${asked} calls`)
    await place.producer.close()
  })
})

describe('a processor that is stopped for three leases', () => {
  it('settles nothing once it goes on, while another has done its work', async () => {
    const place = await placeAt('paused', '', 'checkpoint: { interval_ms: 60000, max_entries: 100000 }\n')
    const other = join(place.data, 'other.yaml')
    const config = await readFile(join(place.data, 'processor.yaml'), 'utf8')
    await writeFile(other, config.replace('interval_ms: 60000', 'interval_ms: 20'))
    const feed = new TelemetryFeed(place.producer, 1)
    const paused = runProcessor(place.args)
    await paused.reaches('it owns the shard', ({ shardsOwned }) => shardsOwned === 1)
    for (let i = 0; i < 20; i++) await feed.append(5)
    await paused.reaches('it has all in its hand', ({ ledger }) => ledger.inFlight === 100)
    const before = paused.figures!.ledger
    assert.equal(before.settled, 0)
    process.kill(paused.pid, 'SIGSTOP')
    const next = runProcessor(['--data', place.data, '--config', other])
    await next.reaches('the other has done it', ({ ledger }) => ledger.settled === 100, 30 * LEASE_MS)
    process.kill(paused.pid, 'SIGCONT')
    const { ledger } = await paused.reaches('it has noticed', ({ ledger }) => ledger.inFlight === 0)
    assert.deepEqual([ledger.settled, ledger.released, imbalanceOf(ledger)], [0, 100, 0])
    const end = await paused.stop()
    assert.equal(end.ledger.settled, 0)
    const [{ body }] = await fetchFindings(await next.ready(), { handler: 'telemetry.analyze' })
    assert.equal(body.count, 100)
    await next.stop()
    await place.producer.close()
  })
})

describe('a handler that computes for three leases', () => {
  it('costs no ownership: leases are renewed beside it', async () => {
    const place = await placeAt('busy', `, busy_ms: ${3 * LEASE_MS}`, noPause)
    const feed = new TelemetryFeed(place.producer, 1)
    for (let i = 0; i < 3; i++) await feed.append(5)
    const processor = runProcessor(place.args)
    const { ledger } = await processor.reaches('all settled', ({ ledger }) => ledger.settled === 15)
    assert.deepEqual([ledger.released, ledger.retried, ledger.leased], [0, 0, 15])
    await processor.stop()
    assert.equal((await effectsIn(place)).asked, 3)
    await place.producer.close()
  })
})

/** A processor whose main thread stops for `blockMs` with every SIGUSR2. */
function blockable({ args }: Place, blockMs: number) {
  const preload = `--import=${pathToFileURL(repositoryFile('test/fixtures/blocked-main-thread.mjs')).href}`
  return runProcessor(args, { NODE_OPTIONS: preload, BLOCK_MS: String(blockMs) })
}

describe('a processor whose main thread is blocked while handlers run (scenario 5)', () => {
  it('loses no lease when that is shorter than the lease', async () => {
    // Renewed three times a lease, it has two thirds of it left at the least.
    const leaseMs = 3000
    const place = await placeAt('blocked', ', busy_ms: 100', noPause, leaseMs)
    const feed = new TelemetryFeed(place.producer, 1)
    const processor = blockable(place, leaseMs / 3)
    await processor.reaches('it owns the shard', ({ shardsOwned }) => shardsOwned === 1)
    const rival = await openBatchStream({ directory: place.data, shards: 1 }, 'rival')
    let isOver = false
    const rivalry = (async () => {
      while (!isOver) {
        assert.equal(await rival.own(0, 60_000), undefined, 'the shard is not to be had')
        await pause(20)
      }
    })()
    for (let block = 1; block <= 3; block++) {
      for (let i = 0; i < 10; i++) await feed.append(1)
      process.kill(processor.pid, 'SIGUSR2')
      await processor.reaches('it goes on', ({ ledger }) => ledger.settled === feed.samples)
    }
    isOver = true
    await rivalry
    await rival.close()
    const { ledger } = await processor.stop()
    assert.deepEqual([ledger.leased, ledger.settled, ledger.released, ledger.retried], [30, 30, 0, 0])
    assert.equal((await effectsIn(place)).asked, 30)
    await place.producer.close()
  })

  it('is fenced when that is longer than the lease: another has done its work, once', async () => {
    const leaseMs = 1500
    const place = await placeAt('blocked-long', ', busy_ms: 100', noPause, leaseMs)
    const feed = new TelemetryFeed(place.producer, 1)
    const blocked = blockable(place, 3 * leaseMs)
    await blocked.reaches('it owns the shard', ({ shardsOwned }) => shardsOwned === 1)
    const next = runProcessor(place.args)
    await next.ready()
    for (let i = 0; i < 20; i++) await feed.append(1)
    await blocked.reaches('it has them in its hand', ({ ledger }) => ledger.inFlight > 0)
    process.kill(blocked.pid, 'SIGUSR2')
    await next.reaches('the other owns the shard', ({ shardsOwned }) => shardsOwned === 1, 30 * leaseMs)
    await blocked.reaches('it has noticed', ({ ledger }) => ledger.released > 0)
    // The shard may be handed back in good order: which of the two does the rest does not matter.
    const isDone = ({ backlog, ledger }: ProcessorFigures) => backlog.entries === 0 && ledger.inFlight === 0
    const { backlog } = await next.reaches('all settled', isDone)
    await blocked.reaches('all settled', isDone)
    assert.equal(backlog.deadLetters, 0)
    const [{ body }] = await fetchFindings(await next.ready(), { handler: 'telemetry.analyze' })
    assert.equal(body.count, 20)
    const [one, other] = [await blocked.stop(), await next.stop()]
    assert.equal(one.ledger.settled + other.ledger.settled, 20)
    assert.equal((await effectsIn(place)).made.length, 20)
    await place.producer.close()
  })
})

describe('SIGTERM with runs under way', () => {
  it('ends within the deadline, uses no attempt, and another processor goes on within a second', async () => {
    const place = await placeAt('stopping', ', busy_ms: 600')
    const feed = new TelemetryFeed(place.producer, 1)
    const first = runProcessor(place.args)
    await first.reaches('it owns the shard', ({ shardsOwned }) => shardsOwned === 1)
    for (let i = 0; i < 32; i++) await feed.append(1)
    await first.reaches('it has them in its hand', ({ ledger }) => ledger.inFlight >= 16)
    const second = runProcessor(place.args)
    await second.ready()
    const stoppedMs = performance.now()
    process.kill(first.pid, 'SIGTERM')
    const code = await first.ended()
    const endedMs = performance.now()
    assert.equal(code, 0)
    assert.ok(endedMs - stoppedMs <= STOP_DEADLINE_MS + 500, `ended after ${endedMs - stoppedMs} ms`)
    await second.reaches('it goes on', ({ ledger }) => ledger.leased > 0)
    assert.ok(performance.now() - endedMs <= 1000, `went on after ${performance.now() - endedMs} ms`)
    await second.kill()
    assert.deepEqual(await attemptsIn(place.data), new Set([0]))
    await place.producer.close()
  })
})

/** Attempts of all entries that nobody has settled. */
async function attemptsIn(directory: string): Promise<Set<number>> {
  const stream = await openBatchStream({ directory, shards: 1 }, 'test')
  let shard = await stream.own(0, 60_000)
  while (shard === undefined) {
    await stream.beat(1000)
    shard = await stream.own(0, 60_000)
  }
  const entries = await shard.lease({ maxEntries: 1000, maxBytes: 1e9 }, 0)
  await stream.close()
  return new Set(entries.map(({ attempts }) => attempts))
}

describe('a fleet of two versions', () => {
  it('leaves batches of the newer format to who can read them, untouched, and goes on with the rest', async () => {
    const place = await placeAt('versions', '', noPause)
    const feed = new TelemetryFeed(place.producer, 1)
    await feed.append(5)
    const newer = encodeBatch([{ value: 1, takenAtUs: 1 }])
    assert.equal(newer[1], 1)
    newer[1] = 2
    await place.producer.append([feed.seal(0, newer, 1)])
    await feed.append(5)
    const older = runProcessor(place.args)
    await older.reaches(
      'the rest is settled and the newer one delayed',
      ({ ledger, backlog }) => ledger.settled === 10 && backlog.delayed === 1,
    )
    const metrics = await (await fetch(`${await older.ready()}/metrics`)).text()
    assert.match(metrics, /^processor_batches_held_total\{reason="newer_version"\} 1$/m)
    assert.match(older.output, /"outcome":"hold".*format version 2/)
    const { backlog, ledger } = await older.stop()
    assert.deepEqual([backlog.deadLetters, backlog.entries, imbalanceOf(ledger)], [0, 1, 0])
    await place.producer.close()
  })
})
