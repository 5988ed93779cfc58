import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AppendOutcome, BatchProducer } from '#core/transport/batch-stream'
import { DrainBench, Killed } from '#test/support/drain-bench'
import type { StoreMood } from '#test/support/memory-store'

describe('the drain loop', () => {
  it('cuts batches by device shard, numbered from 1 without gaps', async () => {
    const bench = new DrainBench()
    bench.publish(60)
    await bench.runWorker()
    const seqs = new Map<number, number[]>()
    for (const { shard, seq, handler, samples } of bench.store.entries) {
      seqs.set(shard, [...(seqs.get(shard) ?? []), seq])
      assert.equal(handler, '*')
      assert.ok(samples > 0)
    }
    for (const [, numbers] of seqs)
      assert.deepEqual(
        numbers,
        numbers.map((_, index) => index + 1),
      )
    assert.deepEqual(bench.stored(), bench.expected())
  })

  it('keeps samples in the ring while the store is away, and says so until it is back', async () => {
    const bench = new DrainBench()
    bench.publish(60)
    bench.store.mood = () => (bench.store.calls < 8 ? 'away' : 'well')
    const seen: boolean[] = []
    const run = bench.runWorker()
    while (bench.store.calls < 8) {
      seen.push(bench.loop.status.storeUp)
      assert.equal(bench.producer.backlog, 60)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await run
    const { storeUp, breaker, breakerOpenings, batchesRetried, lastError } = bench.loop.status
    assert.ok(seen.includes(false))
    assert.deepEqual([storeUp, breaker], [true, 'closed'])
    assert.equal(breakerOpenings, 1)
    assert.ok(batchesRetried >= 5)
    assert.match(lastError?.message ?? '', /connection was lost/)
    assert.match(lastError?.batchId ?? '', /^hub\.r0\.7\.\d\.1$/)
    assert.deepEqual(bench.stored(), bench.expected())
  })

  it('waits for a store that is full or wrongly set up, and names the reason', async () => {
    for (const [mood, code] of [
      ['full', 'TLM_STREAM_UNAVAILABLE'],
      ['misconfigured', 'TLM_STREAM_MISCONFIGURED'],
    ] as const) {
      const bench = new DrainBench()
      bench.publish(20)
      bench.store.mood = () => (bench.store.calls < 5 ? mood : 'well')
      await bench.runWorker()
      assert.equal(bench.loop.status.lastError?.code, code)
      assert.match(bench.loop.status.lastError?.message ?? '', new RegExp(mood))
      assert.deepEqual(bench.stored(), bench.expected())
    }
  })

  it('sends again what a store lost that is still held, and loses nothing', async () => {
    const bench = new DrainBench({ devices: 1, shards: 1, maxSamples: 8, maxBytes: 4096, maxInFlight: 4 })
    bench.publish(32)
    // Two calls are under way when the store forgets what the first of them brought.
    bench.store.mood = () => {
      if (bench.store.calls === 2) bench.store.goBackTo(0)
      return 'well'
    }
    const slow = bench.store.openProducer()
    bench.store.openProducer = () => inPairs(slow)
    await bench.runWorker()
    assert.deepEqual(bench.stored(), bench.expected())
    assert.deepEqual([bench.totals.samplesDelivered, bench.totals.samplesRolledBack], [32, 0])
  })

  it('keeps to a loss that it has noted when the reply that confirms what came after it is lost', async () => {
    const bench = new DrainBench({ devices: 1, shards: 1, maxSamples: 1, maxBytes: 512 })
    bench.publish(1)
    await bench.runWorker()
    bench.store.goBackTo(0)
    bench.publish(3)
    const moods: StoreMood[] = ['away', 'well', 'well', 'half']
    bench.store.mood = () => moods.shift() ?? 'well'
    await bench.runWorker()
    assert.deepEqual(bench.stored(), [[1, 2, 3]])
    assert.deepEqual([bench.totals.samplesDelivered, bench.totals.samplesRolledBack], [3, 1])
  })

  it('takes a loss back when the store has it all after all, also when a former worker noted it', async () => {
    const bench = new DrainBench({ devices: 1, shards: 1, maxSamples: 4, maxBytes: 4096 })
    bench.publish(20)
    await bench.runWorker()
    const { entries } = bench.store
    bench.store.goBackTo(2)
    bench.publish(4)
    bench.onRollBack = () => {
      throw new Killed()
    }
    assert.equal(await bench.runWorker(), true)
    bench.store.restore(entries)
    await bench.runWorker()
    assert.deepEqual(bench.stored(), bench.expected())
    assert.deepEqual([bench.totals.samplesDelivered, bench.totals.samplesRolledBack], [24, 0])
  })

  it('waits for the announcement of a series whose samples were faster', async () => {
    const bench = new DrainBench()
    const run = bench.runWorker(() => {}, false)
    await new Promise((resolve) => setImmediate(resolve))
    bench.producer.tryPublishReading(1_700_000_000_000_000, [bench.series.length], [1], 0, 0, 1)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(bench.store.entries.length, 0)
    bench.catalogue.add(bench.series.length, [{ device: 'late', channel: 'c', unit: '' }])
    bench.loop.drainAndStop()
    await run
    assert.equal(bench.store.entries.length, 1)
    assert.equal(bench.totals.samplesDelivered, 1)
  })
})

/** Answers every first call only when a second one has been answered, or nothing came for a while. */
function inPairs(producer: BatchProducer): BatchProducer {
  let release: (() => void) | undefined
  return {
    ...producer,
    async append(batches): Promise<AppendOutcome[]> {
      const answered = producer.append(batches)
      const isSecond = release !== undefined
      release?.()
      release = undefined
      if (!isSecond) {
        await new Promise<void>((resolve) => {
          release = resolve
          setTimeout(resolve, 20)
        })
        await new Promise((resolve) => setImmediate(resolve))
      }
      return answered
    },
  }
}
