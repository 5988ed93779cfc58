import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { LeasedEntry, OwnedShard } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { acknowledge, drainInOrder, LIMITS, numberedBatch, ownShard, seqOf, withDirectory } from './numbered-batches.js'

function segments(directory: string): string[] {
  const folder = join(directory, 'stream', 'log', '0')
  return readdirSync(folder)
    .filter((name) => /\.(log|old)$/.test(name))
    .sort()
    .map((name) => join(folder, name))
}

function flipByte(path: string, at: number): void {
  const fd = openSync(path, 'r+')
  writeSync(fd, Uint8Array.of(readFileSync(path)[at] ^ 0xff), 0, 1, at)
  closeSync(fd)
}

async function leaseAll(shard: OwnedShard): Promise<LeasedEntry[]> {
  const entries: LeasedEntry[] = []
  for (;;) {
    // Twice nothing: the first look may find damage and look again.
    const some = [...(await shard.lease(LIMITS, 0)), ...(await shard.lease(LIMITS, 0))]
    if (some.length === 0) return entries
    entries.push(...some)
  }
}

/** Batches of 1000 bytes, so that places in files are easy to name. */
function evenBatch(seq: number) {
  return { ...numberedBatch(seq), body: new Uint8Array(1000).fill(seq) }
}

test('a record that was cut off by a power cut is told as a gap and can be sent again', () =>
  withDirectory(async (directory) => {
    const first = await openBatchProducer({ directory, shards: 2 })
    await first.append([1, 2, 3].map((seq) => numberedBatch(seq)))
    await first.close()
    const [segment] = segments(directory)
    truncateSync(segment, statSync(segment).size - 7)
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    assert.equal(await drainInOrder(shard, 0), 2)
    const second = await openBatchProducer({ directory, shards: 2 })
    assert.deepEqual(await second.append([numberedBatch(4)]), [{ kind: 'gap', highWaterSeq: 2 }])
    const outcomes = await second.append([3, 4].map((seq) => numberedBatch(seq)))
    assert.deepEqual(outcomes, [{ kind: 'stored' }, { kind: 'stored' }])
    assert.equal(await drainInOrder(shard, 2), 4)
    await second.close()
    await stream.close()
  }))

test('a damaged body is never handed out: it becomes a dead letter, once, and the rest goes on', () =>
  withDirectory(async (directory) => {
    const options = { directory, shards: 2, segmentBytes: 4096 }
    const producer = await openBatchProducer(options)
    for (let seq = 1; seq <= 12; seq++) await producer.append([evenBatch(seq)])
    const [segment] = segments(directory)
    assert.match(segment, /\.old$/)
    flipByte(segment, 1800) // in the body of batch 2
    const stream = await openBatchStream(options, 'first')
    const first = await ownShard(stream, 30)
    const entries = await leaseAll(first)
    assert.deepEqual(entries.map(seqOf), [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    await acknowledge(first, entries.slice(0, 4))
    assert.deepEqual((await stream.depths())[0].deadLetters, 1)
    await first.release()
    const second = await ownShard(stream)
    const rest = await leaseAll(second)
    assert.deepEqual(rest.map(seqOf), [6, 7, 8, 9, 10, 11, 12])
    await acknowledge(second, rest)
    const [{ entries: left, samples, bytes, deadLetters }] = await stream.depths()
    assert.deepEqual([left, samples, bytes, deadLetters], [0, 0, 0, 1])
    await producer.close()
    await stream.close()
  }))

test('what is behind a damaged header in an ended segment is counted as lost, once', () =>
  withDirectory(async (directory) => {
    const options = { directory, shards: 2, segmentBytes: 4096 }
    const producer = await openBatchProducer(options)
    for (let seq = 1; seq <= 12; seq++) await producer.append([evenBatch(seq)])
    const [segment] = segments(directory)
    const perRecord = (statSync(segment).size - 64) / 4
    flipByte(segment, Math.floor(64 + perRecord) + 30) // in the header of batch 2
    const stream = await openBatchStream(options, 'reader')
    const shard = await ownShard(stream)
    const entries = await leaseAll(shard)
    assert.deepEqual(entries.map(seqOf), [1, 5, 6, 7, 8, 9, 10, 11, 12])
    await acknowledge(shard, entries)
    const [{ entries: left, samples, bytes, deadLetters }] = await stream.depths()
    assert.deepEqual([left, samples, bytes, deadLetters], [0, 0, 0, 1])
    await shard.release()
    const next = await ownShard(stream)
    assert.deepEqual(await leaseAll(next), [])
    await acknowledge(next, [])
    assert.equal((await stream.depths())[0].deadLetters, 1)
    await producer.close()
    await stream.close()
  }))

test('a control log that was cut off in its last step goes on from the step before', () =>
  withDirectory(async (directory) => {
    const producer = await openBatchProducer({ directory, shards: 2 })
    await producer.append([1, 2].map((seq) => numberedBatch(seq)))
    const stream = await openBatchStream({ directory, shards: 2 }, 'first')
    const shard = await ownShard(stream)
    const [one, two] = await shard.lease(LIMITS, 0)
    await acknowledge(shard, [one])
    await acknowledge(shard, [two])
    await shard.release()
    const folder = join(directory, 'stream', 'control', '0')
    const control = join(folder, readdirSync(folder).find((name) => name.endsWith('.log'))!)
    truncateSync(control, statSync(control).size - 1)
    const next = await ownShard(stream)
    assert.deepEqual((await leaseAll(next)).map(seqOf), [2])
    await producer.close()
    await stream.close()
  }))

test('a segment that was cut off before its header was written is set aside', () =>
  withDirectory(async (directory) => {
    const first = await openBatchProducer({ directory, shards: 2, segmentBytes: 4096 })
    for (let seq = 1; seq <= 6; seq++) await first.append([evenBatch(seq)])
    await first.close()
    const last = segments(directory).at(-1)!
    truncateSync(last, 10)
    const second = await openBatchProducer({ directory, shards: 2, segmentBytes: 4096 })
    assert.deepEqual(await second.append([evenBatch(7)]), [{ kind: 'gap', highWaterSeq: 4 }])
    const outcomes = await second.append([5, 6, 7].map(evenBatch))
    assert.ok(outcomes.every(({ kind }) => kind === 'stored'))
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const entries = await leaseAll(await ownShard(stream))
    assert.deepEqual(entries.map(seqOf), [1, 2, 3, 4, 5, 6, 7])
    await second.close()
    await stream.close()
  }))
