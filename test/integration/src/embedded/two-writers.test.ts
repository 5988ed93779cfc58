import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { drainInOrder, numberedBatch, ownShard, withDirectory } from './numbered-batches.js'

const range = (first: number, last: number): SealedBatch[] =>
  Array.from({ length: last - first + 1 }, (_, i) => numberedBatch(first + i))

test('a writer whose knowledge another has overtaken tells the truth and adds nothing', () =>
  withDirectory(async (directory) => {
    const options = { directory, shards: 2, segmentBytes: 100_000 }
    const [ahead, behind] = [await openBatchProducer(options), await openBatchProducer(options)]
    await behind.append(range(1, 5))
    await ahead.append(range(6, 10))
    assert.deepEqual(await behind.append(range(6, 7)), [{ kind: 'duplicate' }, { kind: 'duplicate' }])
    await ahead.append(range(11, 12))
    // Written behind 12, where it says to come after 7: it must count for nobody.
    const astray = { ...numberedBatch(14), after: 10, body: new Uint8Array(3) }
    assert.deepEqual(await behind.append([astray]), [{ kind: 'gap', highWaterSeq: 12 }])
    await ahead.append(range(13, 14))
    assert.deepEqual(await behind.append(range(14, 15)), [{ kind: 'duplicate' }, { kind: 'stored' }])
    const stream = await openBatchStream(options, 'reader')
    const shard = await ownShard(stream)
    assert.equal(await drainInOrder(shard, 0), 15)
    assert.equal((await stream.depths())[0].entries, 0)
    for (const opened of [ahead, behind, stream]) await opened.close()
  }))

test('a writer finds its way when another has ended the segment it was writing', () =>
  withDirectory(async (directory) => {
    const options = { directory, shards: 2, segmentBytes: 4096 }
    const [one, other] = [await openBatchProducer(options), await openBatchProducer(options)]
    const stream = await openBatchStream(options, 'reader')
    const shard = await ownShard(stream)
    let lastSeq = 0
    for (let seq = 1; seq <= 60; seq += 3) {
      const [writer, late] = seq % 2 === 0 ? [one, other] : [other, one]
      for (const outcome of await writer.append(range(seq, seq + 2))) assert.deepEqual(outcome, { kind: 'stored' })
      for (const { kind } of await late.append(range(seq, seq + 2))) assert.equal(kind, 'duplicate')
      lastSeq = await drainInOrder(shard, lastSeq)
      assert.equal(lastSeq, seq + 2)
    }
    for (const opened of [one, other, stream]) await opened.close()
  }))

test('a waiting lease is woken by the append, not by looking now and then', () =>
  withDirectory(async (directory) => {
    const producer = await openBatchProducer({ directory, shards: 2 })
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    let quickestMs = Number.POSITIVE_INFINITY
    for (let seq = 1; seq <= 5; seq++) {
      const lease = shard.lease({ maxEntries: 1, maxBytes: 1e6 }, 30_000)
      await new Promise(setImmediate)
      const start = performance.now()
      await producer.append([numberedBatch(seq)])
      assert.equal((await lease).length, 1)
      quickestMs = Math.min(quickestMs, performance.now() - start)
    }
    assert.ok(quickestMs < 250, `the quickest wake-up took ${quickestMs} ms`)
    await producer.close()
    await stream.close()
  }))
