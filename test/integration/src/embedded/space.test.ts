import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AppendOutcome } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#src/embedded/embedded-stream'
import { acknowledge, drainInOrder, LIMITS, numberedBatch, ownShard, withDirectory } from './numbered-batches.js'

const MEGABYTE = 2 ** 20

function sizeOf(folder: string): number {
  const sizes = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false })
    return stat?.isFile() ? stat.size : 0
  })
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('200 MB of batches and 100 MB of state pass through a store that stays below 24 MB', () =>
  withDirectory(async (directory) => {
    const producer = await openBatchProducer({ directory, shards: 2 })
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    const body = new Uint8Array(65_300)
    const state = new Uint8Array(500_000)
    let largest = 0
    for (let seq = 1; seq <= 3200; seq += 16) {
      await producer.append(Array.from({ length: 16 }, (_, i) => ({ ...numberedBatch(seq + i), body })))
      const entries = await shard.lease({ maxEntries: 16, maxBytes: 100 * MEGABYTE }, 0)
      assert.equal(entries.length, 16)
      const ack = entries.map(({ id }) => id)
      await shard.settle({ ack, retry: [], deadLetter: [], state: new Map([['row', state]]) })
      largest = Math.max(largest, sizeOf(directory))
    }
    assert.ok(largest < 24 * MEGABYTE, `the store took ${largest} bytes`)
    assert.equal((await stream.depths())[0].entries, 0)
    await producer.close()
    await stream.close()
  }))

test('a store at its bound refuses, still tells duplicates, and goes on when a processor has taken batches out', () =>
  withDirectory(async (directory) => {
    const options = { directory, shards: 2, maxLogBytes: MEGABYTE, segmentBytes: 65_536 }
    const producer = await openBatchProducer(options)
    let next = 1
    const append = async (seq: number) => {
      const [one] = await producer.append([numberedBatch(seq)])
      return one
    }
    let outcome = await append(next)
    while (outcome.kind === 'stored') outcome = await append(++next)
    assert.deepEqual({ ...outcome, message: '' }, { kind: 'refused', reason: 'full', message: '' })
    assert.match((outcome as { message: string }).message, /take \d+ of 1048576 bytes/)
    assert.ok(sizeOf(directory) <= 1.1 * MEGABYTE)
    assert.deepEqual(await append(next - 1), { kind: 'duplicate' })
    assert.deepEqual(await append(next + 1), { kind: 'gap', highWaterSeq: next - 1 })
    const stream = await openBatchStream(options, 'reader')
    const shard = await ownShard(stream)
    const lastSeq = await drainInOrder(shard, 0)
    assert.equal(lastSeq, next - 1)
    const deadline = performance.now() + 5000
    for (outcome = await append(next); outcome.kind !== 'stored'; outcome = await append(next)) {
      assert.equal(outcome.kind, 'refused')
      assert.ok(performance.now() < deadline, 'space is free again')
    }
    assert.equal(await drainInOrder(shard, lastSeq), next)
    await producer.close()
    await stream.close()
  }))

test('a disk that fills up in the middle of a batch refuses it, and what was refused is not stored', () =>
  withDirectory(async (directory) => {
    const program = join(import.meta.dirname, 'appending-program.js')
    const journal = join(directory, 'journal')
    writeFileSync(journal, '')
    // The limit on the size of files ends writes in the middle as a full disk does.
    const command = `ulimit -f 150; exec '${process.execPath}' '${program}' '${directory}' '${journal}' once`
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 0)
    const [refused] = JSON.parse(output) as [{ seq: number; outcome: AppendOutcome }]
    assert.deepEqual({ ...refused.outcome, message: '' }, { kind: 'refused', reason: 'full', message: '' })
    assert.ok(refused.seq > 5)

    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    assert.equal(await drainInOrder(shard, 0), refused.seq - 1)
    const producer = await openBatchProducer({ directory, shards: 2 })
    const again = await producer.append([numberedBatch(refused.seq - 1), numberedBatch(refused.seq)])
    assert.deepEqual(again, [{ kind: 'duplicate' }, { kind: 'stored' }])
    assert.equal(await drainInOrder(shard, refused.seq - 1), refused.seq)
    await producer.close()
    await stream.close()
  }))

test('a directory that cannot be used is refused with its name and a remedy', () =>
  withDirectory(async (directory) => {
    const file = join(directory, 'file')
    writeFileSync(file, '')
    for (const open of [openBatchProducer, (options: unknown) => openBatchStream(options, 'reader')]) {
      const refusal = { code: 'TLM_STREAM_MISCONFIGURED', message: new RegExp(`${file}.*Fix:`) }
      await assert.rejects(open({ directory: file, shards: 2 }), refusal)
      await assert.rejects(open({ directory: '', shards: 2 }), { code: 'TLM_OPTIONS_INVALID' })
      await assert.rejects(open({ directory, shards: 65 }), { code: 'TLM_OPTIONS_INVALID', message: /1\.\.64, got 65/ })
      await assert.rejects(open(undefined), { code: 'TLM_OPTIONS_INVALID' })
    }
    mkdirSync(join(directory, 'stream'), { recursive: true })
    writeFileSync(join(directory, 'stream', 'store.json'), '')
    await assert.rejects(openBatchProducer({ directory, shards: 2 }), { message: /store\.json is damaged.*Fix:/ })
    writeFileSync(join(directory, 'stream', 'store.json'), '{"version":7,"shards":2}')
    await assert.rejects(openBatchProducer({ directory, shards: 2 }), { message: /version 7.*not of version 1/ })
  }))

test('a store whose directory is removed refuses appends and fails leases with a code', () =>
  withDirectory(async (directory) => {
    const producer = await openBatchProducer({ directory, shards: 2 })
    await producer.append([numberedBatch(1)])
    const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
    const shard = await ownShard(stream)
    await acknowledge(shard, await shard.lease(LIMITS, 0))
    rmSync(join(directory, 'stream'), { recursive: true })
    const [outcome] = await producer.append([numberedBatch(2)])
    assert.deepEqual({ ...outcome, message: '' }, { kind: 'refused', reason: 'misconfigured', message: '' })
    await assert.rejects(shard.lease(LIMITS, 0), { code: 'TLM_STREAM_MISCONFIGURED' })
    await producer.close()
    await stream.close()
  }))
