/**
 * Program of a thread that appends without end until it is terminated, throws, or has used up its heap. It has no
 * top-level await: Node aborts the process when a thread is terminated within one.
 */
import { workerData } from 'node:worker_threads'
import type { SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { numberedBatch } from './numbered-batches.js'

export interface AppendingThreadData {
  directory: string
  segmentBytes: number
  /** One f64: the highest seq that was ever reported stored or duplicate. */
  stored: SharedArrayBuffer
  end: 'terminated' | 'throws' | 'exhausts its heap'
}

const { directory, segmentBytes, stored, end } = workerData as AppendingThreadData
const journal = new Float64Array(stored)

async function appendOn(): Promise<never> {
  const producer = await openBatchProducer({ directory, shards: 2, segmentBytes })
  const hoard: unknown[] = []
  let next = await findNext()
  for (let calls = 0; ; calls++) {
    const batches: SealedBatch[] = Array.from({ length: 1 + (next % 7) }, (_, i) => numberedBatch(next + i))
    for (const [i, outcome] of (await producer.append(batches)).entries()) {
      if (outcome.kind !== 'stored') throw new Error(`Batch ${batches[i].seq}: ${JSON.stringify(outcome)}`)
    }
    next += batches.length
    journal[0] = next - 1
    if (calls % 20 === 0) await new Promise(setImmediate)
    if (end === 'throws' && calls === 50) throw new Error('as the test asked')
    while (end === 'exhausts its heap' && calls >= 20) hoard.push(new Array(1000).fill(calls))
  }

  /** As a drain's successor does: sends again from the last known, and learns what was stored unseen. */
  async function findNext(): Promise<number> {
    for (let seq = journal[0] + 1; ; seq++) {
      const [outcome] = await producer.append([numberedBatch(seq)])
      journal[0] = seq
      if (outcome.kind === 'stored') return seq + 1
      if (outcome.kind !== 'duplicate') throw new Error(`Batch ${seq}: ${JSON.stringify(outcome)}`)
    }
  }
}

appendOn().catch((error) => {
  setImmediate(() => {
    throw error
  })
})
