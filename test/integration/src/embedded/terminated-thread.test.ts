import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { openBatchStream } from '#src/embedded/embedded-stream'
import type { AppendingThreadData } from './appending-thread.js'
import { drainInOrder, ownShard, random, withDirectory } from './numbered-batches.js'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

/** @param isReady asked every millisecond before the delay begins */
async function terminateAfter(worker: Worker, isReady: () => boolean, delayMs: number): Promise<void> {
  await once(worker, 'online')
  while (!isReady()) await pause(1)
  await pause(delayMs)
  await worker.terminate()
}

interface Ending {
  end: AppendingThreadData['end']
  rounds: number
  /** Megabytes of heap. */
  heapMb?: number
}

const ENDINGS: readonly Ending[] = [
  { end: 'terminated', rounds: 120 },
  { end: 'throws', rounds: 10 },
  { end: 'exhausts its heap', rounds: 5, heapMb: 24 },
]

for (const { end, rounds, heapMb } of ENDINGS) {
  test(`nothing stored is lost or doubled when the appending thread ${end}, ${rounds} times (seed ${seed})`, () =>
    withDirectory(async (directory) => {
      const next = random(seed)
      const stream = await openBatchStream({ directory, shards: 2 }, 'reader')
      const shard = await ownShard(stream)
      const stored = new SharedArrayBuffer(8)
      const journal = new Float64Array(stored)
      const workerData: AppendingThreadData = { directory, segmentBytes: 300_000, stored, end }
      let lastSeq = 0
      let producing = 0
      for (let round = 0; round < rounds; round++) {
        const before = journal[0]
        const resourceLimits =
          heapMb === undefined ? {} : { maxOldGenerationSizeMb: heapMb, maxYoungGenerationSizeMb: 4 }
        const url = new URL('./appending-thread.js', import.meta.url)
        const worker = new Worker(url, { workerData, resourceLimits, stdout: true, stderr: true })
        const failed = once(worker, 'error').catch(() => [])
        // One in three dies while it starts or opens the store, the others while they append.
        const isReady = round % 3 === 0 ? () => true : () => journal[0] > before
        const ended = end === 'terminated' ? terminateAfter(worker, isReady, next() * 60) : failed
        let hasEnded = false
        ended.finally(() => {
          hasEnded = true
        })
        while (!hasEnded) lastSeq = await drainInOrder(shard, lastSeq, 5)
        await worker.terminate()
        if (journal[0] > before) producing++
        lastSeq = await drainInOrder(shard, lastSeq)
        assert.ok(lastSeq >= journal[0], `batch ${journal[0]} was stored, the last one read is ${lastSeq}`)
      }
      assert.ok(producing >= rounds / 2, `only ${producing} of ${rounds} threads came to append`)
      await stream.close()
    }))
}
