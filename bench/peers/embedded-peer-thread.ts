/**
 * Program of the appending thread of `embedded-store.bench`: opens a store, then appends what each message asks for and
 * answers with the time it took. No top-level await, see `embedded-store.bench`.
 */
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import type { SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer } from '#src/embedded/embedded-stream'

export type AppendPeer = 'embedded store' | 'LMDB, one put per batch' | 'SQLite (libsql), WAL'

export interface AppendThreadData {
  peer: AppendPeer
  directory: string
}

export interface AppendJob {
  bodyBytes: number
  batches: number
  /** Batches given to the store at a time. */
  perCall: number
  samplesPerBatch: number
}

type Append = (batches: readonly SealedBatch[]) => Promise<void>

const { peer, directory } = workerData as AppendThreadData
let seq = 0

async function openPeer(): Promise<Append> {
  if (peer === 'embedded store') {
    const producer = await openBatchProducer({ directory, shards: 1, maxLogBytes: 2 ** 36 })
    return async (batches) => {
      for (const { kind } of await producer.append(batches)) if (kind !== 'stored') throw new Error(kind)
    }
  }
  if (peer === 'LMDB, one put per batch') {
    const { open } = await import('lmdb')
    const db = open<Uint8Array, number>({
      path: join(directory, 'lmdb'),
      encoding: 'binary',
      noSync: true,
      mapSize: 2 ** 33,
    })
    return async (batches) => {
      await db.batch(() => {
        for (const batch of batches) db.put(batch.seq, batch.body)
      })
    }
  }
  const { default: Database } = await import('libsql')
  const db = new Database(join(directory, 'peer.sqlite'))
  db.exec(
    'PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE entry (seq INTEGER PRIMARY KEY, body BLOB)',
  )
  const insert = db.prepare('INSERT INTO entry VALUES (?, ?)')
  return async (batches) => {
    db.exec('BEGIN IMMEDIATE')
    for (const batch of batches) insert.run(batch.seq, Buffer.from(batch.body.buffer))
    db.exec('COMMIT')
  }
}

async function run(append: Append, { bodyBytes, batches, perCall, samplesPerBatch }: AppendJob): Promise<number> {
  const body = new Uint8Array(bodyBytes).map((_, i) => i)
  const start = performance.now()
  for (let done = 0; done < batches; done += perCall) {
    const some = Array.from({ length: Math.min(perCall, batches - done) }, () =>
      makeBatch(++seq, body, samplesPerBatch),
    )
    await append(some)
  }
  return performance.now() - start
}

function makeBatch(number: number, body: Uint8Array, samples: number): SealedBatch {
  const epoch = 1_700_000_000_000_000
  const said = { priority: 1 as const, handler: '*', samples, firstTakenAtUs: epoch }
  return { producer: 'bench.r0', epoch, seq: number, shard: 0, body, ...said }
}

openPeer().then((append) => {
  parentPort?.on('message', (job: AppendJob) => {
    run(append, job).then((elapsedMs) => parentPort?.postMessage(elapsedMs))
  })
  parentPort?.postMessage('ready')
})
