import assert from 'node:assert/strict'
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Clock } from '#core/time/clock'
import { systemClock } from '#core/time/clock'
import { EmbeddedBatchStream } from '#src/embedded/embedded-batch-stream'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { openStoreDirectory } from '#src/embedded/store-directory'
import { acknowledge, EPOCH, LIMITS, numberedBatch, ownShard, withDirectory } from './numbered-batches.js'

test('a settled numbering whose producer began a newer epoch is forgotten; it may still come back', () =>
  withDirectory(async (directory) => {
    let lateMs = 0
    const clock: Clock = { nowUs: systemClock.nowUs, monotonicMs: () => systemClock.monotonicMs() + lateMs }
    const options = { directory, shards: 2 }
    const folder = join(directory, 'stream', 'log', '0')
    const names = () => readdirSync(folder).filter((name) => !name.endsWith('.tmp'))
    const producer = await openBatchProducer(options)
    const newer = { epoch: EPOCH + 1 }
    await producer.append([numberedBatch(1), numberedBatch(2)])
    const [old] = names()
    await producer.append([{ ...numberedBatch(1), ...newer }])
    const stream = new EmbeddedBatchStream(openStoreDirectory(options), 'reader', clock)
    const shard = await ownShard(stream)
    const age = (name: string, ms: number) => utimesSync(join(folder, name), new Date(), new Date(Date.now() - ms))

    const entries = await shard.lease(LIMITS, 0)
    age(old, 700_000)
    writeFileSync(join(folder, 'left-by-a-killed-writer.tmp'), '')
    age('left-by-a-killed-writer.tmp', 4_000_000)
    await acknowledge(shard, entries.slice(1))
    assert.equal(names().length, 2, 'one batch is not settled yet')
    assert.equal(readdirSync(folder).length, 2, 'the old draft is gone')
    lateMs += 31_000
    await acknowledge(shard, entries.slice(0, 1))
    assert.equal(names().length, 1)
    assert.ok(!names().includes(old), 'the newer epoch stays')
    assert.equal((await stream.depths())[0].entries, 0)

    const [gap] = await producer.append([numberedBatch(3)])
    assert.deepEqual(gap, { kind: 'gap', highWaterSeq: 0 })
    assert.deepEqual(await producer.append([{ ...numberedBatch(3), after: 0 }]), [{ kind: 'stored' }])
    assert.equal((await shard.lease(LIMITS, 0)).length, 1)
    assert.equal((await stream.depths())[0].entries, 1)
    await producer.close()
    await stream.close()
  }))
