import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { createLogger } from '#src/host/logger'
import { ThreadPool } from '#src/processor/dispatch/handler-pool'
import { encodeBatch } from '#test/support/encoded-batches'
import { FaultyStore } from '#test/support/faulty-store'
import { MemorySink } from '#test/support/memory-sink'
import { repositoryFile } from '#test/support/repository'
import { specOf } from '#test/support/shard-owner'
import { ShardRig } from '#test/support/shard-rig'
import { valueBatch } from '#test/support/summing-pool'

const SAMPLES = 5
const BATCHES = 60
const SHARDS = 2

const log = createLogger({ name: 'test', level: 'silent' })
const pools: ThreadPool[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

function brokenHandler(how: string): HandlerSpec {
  const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/killing.mjs')).href
  return { type: 'test.killing', options: { how, always: true }, moduleUrl }
}

function rigWith(handlers: HandlerSpec[], store: FaultyStore, sink = new MemorySink()): [ShardRig, ThreadPool] {
  const workerData = { handlers }
  const pool = new ThreadPool(
    { threads: 2, maxHeapBytes: 2 ** 25, runDeadlineMs: 30_000, workerData },
    systemClock,
    log,
  )
  pools.push(pool)
  const settings = { checkpoint: { intervalMs: 20, maxEntries: 10 }, maxRetries: 1 }
  return [new ShardRig(store, settings, 'a', sink, { handlers, pool }), pool]
}

function append(store: FaultyStore, shard: number, seq: number, handler = '*'): void {
  const samples = Array.from({ length: SAMPLES }, (_, row) => {
    return { device: `d${shard}`, value: row, takenAtUs: 1.7e15 + seq * 1e6 + row, sequence: row }
  })
  store.append(valueBatch(shard, seq, 0, { samples: SAMPLES, body: encodeBatch(samples), handler }))
}

describe('a version of a handler that fails on every batch', () => {
  for (const how of ['exit', 'throw']) {
    it(`by ${how} is paused soon; the other handlers have every batch once, and none is a dead letter`, async () => {
      const store = new FaultyStore(SHARDS)
      const [rig, pool] = rigWith([brokenHandler(how), specOf('telemetry.analyze')], store)
      for (let shard = 0; shard < SHARDS; shard++) {
        for (let seq = 1; seq <= BATCHES; seq++) append(store, shard, seq)
        for (let seq = BATCHES + 1; seq <= BATCHES + 5; seq++) append(store, shard, seq, 'test.killing')
        for (let seq = BATCHES + 6; seq <= BATCHES + 9; seq++) append(store, shard, seq, 'telemetry.analyze')
      }
      rig.balancer.start()
      const counts = () => [0, 1].map((shard) => rig.sink.findings.get(`analyze/d${shard}/c`)?.body.count)
      const all = (BATCHES + 4) * SAMPLES
      await rig.until('the other handler has had all', () => counts().every((count) => count === all), 60_000)
      const [{ circuit, failures }] = rig.handlers.handlers
      assert.notEqual(circuit.state, 'closed')
      assert.match(rig.handlers.problem ?? '', /test\.killing/)
      assert.ok(pool.counters.deaths <= 20, `${pool.counters.deaths} threads died`)
      // Still tried now and then, and still nothing is given up.
      const before = failures
      await rig.until('it was tried again', () => rig.handlers.handlers[0].failures > before, 60_000)
      assert.deepEqual(
        store.shards.map(({ deadLetters }) => deadLetters.length),
        [0, 0],
      )
      const waiting = store.shards.flatMap(({ entries }) => [...entries.values()])
      await rig.balancer.stop()
      assert.equal(waiting.length, SHARDS * (BATCHES + 5))
      assert.ok(waiting.every(({ attempts }) => attempts <= 1))
      assert.equal(rig.imbalance, 0)

      // The next version works: everything that waited is done, by that handler alone.
      const [mended] = rigWith(
        [{ ...brokenHandler('none'), options: { poison: 1e9, how: 'exit' } }, specOf('telemetry.analyze')],
        store,
        rig.sink,
      )
      for (const stored of waiting) stored.fromMs = 0
      mended.balancer.start()
      await mended.until('all is settled', () => store.unsettled === 0 && mended.account.inFlight === 0, 60_000)
      await mended.balancer.stop()
      assert.deepEqual(counts(), [all, all])
      assert.deepEqual(
        store.shards.map(({ deadLetters }) => deadLetters.length),
        [0, 0],
      )
      assert.equal(mended.imbalance, 0)
    })
  }
})
