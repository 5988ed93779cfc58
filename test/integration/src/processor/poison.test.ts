import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { pathToFileURL } from 'node:url'
import { BatchDecoder } from '#core/codec/batch-codec'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { createLogger } from '#src/host/logger'
import { ThreadPool } from '#src/processor/dispatch/handler-pool'
import type { BatchSample } from '#test/support/batches'
import { encodeBatch } from '#test/support/encoded-batches'
import { FaultyStore, type StoreCall } from '#test/support/faulty-store'
import { MemorySink } from '#test/support/memory-sink'
import { repositoryFile } from '#test/support/repository'
import { specOf } from '#test/support/shard-owner'
import { ShardRig } from '#test/support/shard-rig'
import { valueBatch } from '#test/support/summing-pool'

const POISON = 6666
const SAMPLES = 1000
const BAD = 437
/** Batches before and after the one that is bad. */
const OTHERS = 20
const OTHER_SAMPLES = 10
const TOTAL = OTHERS * OTHER_SAMPLES + SAMPLES

const log = createLogger({ name: 'test', level: 'silent' })
const pools: ThreadPool[] = []
after(() => Promise.all(pools.map((pool) => pool.close())))

function handlersThat(how: string, always = false): HandlerSpec[] {
  const moduleUrl = pathToFileURL(repositoryFile('test/fixtures/handlers/killing.mjs')).href
  const killing = { type: 'test.killing', options: { poison: POISON, how, always }, moduleUrl }
  return [killing, specOf('telemetry.analyze')]
}

function rigWith(
  handlers: HandlerSpec[],
  store = new FaultyStore(1),
  sink = new MemorySink(),
  runDeadlineMs = 30_000,
): ShardRig {
  const options = { threads: 2, maxHeapBytes: 2 ** 25, runDeadlineMs, workerData: { handlers } }
  const pool = new ThreadPool(options, systemClock, log)
  pools.push(pool)
  return new ShardRig(store, { checkpoint: { intervalMs: 20, maxEntries: 10 } }, 'a', sink, { handlers, pool })
}

/** Batch `seq`, in event time behind all before it. */
function append(store: FaultyStore, seq: number, count: number, bad = -1): void {
  const samples = Array.from({ length: count }, (_, row): BatchSample => {
    return { value: row === bad ? POISON : row, takenAtUs: 1.7e15 + seq * 1e6 + row, sequence: row }
  })
  store.append(valueBatch(0, seq, 0, { samples: count, body: encodeBatch(samples) }))
}

function appendAll(store: FaultyStore): void {
  for (let seq = 1; seq <= OTHERS + 1; seq++) {
    if (seq === OTHERS / 2) append(store, seq, SAMPLES, BAD)
    else append(store, seq, OTHER_SAMPLES)
  }
}

function assertOneSampleDead({ store, sink, account, imbalance }: ShardRig, kind: string): void {
  const [letter, ...more] = store.shards[0].deadLetters
  assert.deepEqual([more, letter.class], [[], kind])
  assert.match(letter.message, /^Sample 437 of 1000 of batch test\.1\.0\.10 \(d\/c at \d+ us\): /)
  assert.equal(letter.part?.correlationId, 'test.1.0.10#437')
  const { count, values } = new BatchDecoder().decode(letter.part.body)
  assert.deepEqual([count, values[0]], [1, POISON])
  assert.equal(sink.findings.get('analyze/d/c')?.body.count, TOTAL - 1)
  assert.deepEqual([account.settled, account.deadLettered, account.inFlight, imbalance], [TOTAL - 1, 1, 0, 0])
}

describe('one bad sample among a thousand', () => {
  for (const [how, kind] of [
    ['throw', 'handler-error'],
    ['exit', 'crash-loop'],
    ['memory', 'oom'],
    ['loop', 'timeout'],
  ] as const) {
    it(`on which the handler ends by ${how} is put aside alone, as ${kind}; all others take effect once`, async () => {
      const rig = rigWith(handlersThat(how), new FaultyStore(1), new MemorySink(), how === 'loop' ? 1500 : 30_000)
      appendAll(rig.store)
      rig.balancer.start()
      await rig.until('all is settled', () => rig.store.unsettled === 0 && rig.account.inFlight === 0, 60_000)
      await rig.balancer.stop()
      assertOneSampleDead(rig, kind)
      // Besides the search: whether the handlers start, and whether they run another batch.
      assert.ok(rig.probes.runs <= 2 * Math.log2(SAMPLES) + 2, `${rig.probes.runs} probes`)
    })
  }

  it('takes effect once, whatever call of the store fails while it is found, and however often', async () => {
    const calls: StoreCall[] = ['lease', 'settle']
    for (const call of calls) {
      for (const when of ['before', 'after'] as const) {
        const rig = rigWith(handlersThat('exit'))
        let calls = 0
        rig.store.fault = (made) => {
          if (made !== call || ++calls % 3 !== 0) return undefined
          if (when === 'before') throw new Error('fault')
          return 'after'
        }
        appendAll(rig.store)
        rig.balancer.start()
        await rig.until('all is settled', () => rig.store.unsettled === 0, 60_000)
        rig.store.fault = () => undefined
        await rig.balancer.stop()
        assert.equal(rig.sink.findings.get('analyze/d/c')?.body.count, TOTAL - 1, `${when} ${call}`)
        assert.deepEqual(
          rig.store.shards[0].deadLetters.map(({ part }) => part?.correlationId),
          ['test.1.0.10#437'],
        )
      }
    }
  })

  it('is found again by the next owner when the first is lost in the middle of the search', async () => {
    const store = new FaultyStore(1)
    const sink = new MemorySink()
    appendAll(store)
    for (let probes = 1; probes <= 13; probes += 4) {
      const rig = rigWith(handlersThat('exit'), store, sink)
      rig.balancer.start()
      await rig.until(`it has made ${probes} probes`, () => rig.probes.runs >= probes, 60_000)
      // As if the process were gone.
      store.shards[0].token++
      store.shards[0].owner = undefined
      rig.balancer.abandon()
      await rig.balancer.stop()
    }
    const last = rigWith(handlersThat('exit'), store, sink)
    last.balancer.start()
    await last.until('all is settled', () => store.unsettled === 0 && last.account.inFlight === 0, 60_000)
    await last.balancer.stop()
    assert.equal(sink.findings.get('analyze/d/c')?.body.count, TOTAL - 1)
    assert.deepEqual(
      store.shards[0].deadLetters.map(({ part }) => part?.correlationId),
      ['test.1.0.10#437'],
    )
    assert.equal(last.imbalance, 0)
  })
})
