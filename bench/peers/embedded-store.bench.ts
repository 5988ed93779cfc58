import { once, setMaxListeners } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { OwnedShard } from '#core/transport/batch-stream'
import { openBatchStream } from '#src/embedded/embedded-stream'
import type { Bench, BenchMode, BenchRow } from '../bench.js'
import type { AppendJob, AppendPeer, AppendThreadData } from './embedded-peer-thread.js'

/** Of the batch codec, measured: 11 bytes a sample. */
const BYTES_PER_SAMPLE = 11
const SIZES = [8100, 65_300]
const PEERS: readonly AppendPeer[] = ['embedded store', 'LMDB, one put per batch', 'SQLite (libsql), WAL']
const PER_CALL = 8

/**
 * The embedded store as hub and processor use it, a thread that appends and a main thread that leases and settles, and
 * what an append alone costs beside LMDB and SQLite, none of them flushing. The peers show what was chosen against: their
 * addons, besides, abort the process when the appending thread is terminated at a bad moment.
 */
export const bench: Bench = {
  title: 'Embedded store: batches from a worker thread, leased and settled by the main thread',
  async run(mode) {
    const rows: BenchRow[] = []
    for (const bodyBytes of SIZES) {
      for (const peer of PEERS) rows.push(...(await measureAppend(peer, bodyBytes, mode)))
      rows.push(...(await measureLease(bodyBytes, mode)), ...(await measureFlow(bodyBytes, mode)))
    }
    rows.push(...(await measureIdle(mode)), await measureWaking(mode))
    return rows
  },
}

interface Appender {
  directory: string
  /** @returns milliseconds */
  append(job: AppendJob): Promise<number>
  close(): Promise<void>
}

async function startAppender(peer: AppendPeer): Promise<Appender> {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-bench-'))
  const workerData: AppendThreadData = { peer, directory }
  const worker = new Worker(new URL('./embedded-peer-thread.js', import.meta.url), { workerData })
  await once(worker, 'message')
  return {
    directory,
    append: async (job) => {
      worker.postMessage(job)
      return (await once(worker, 'message'))[0] as number
    },
    close: async () => {
      await worker.terminate()
      rmSync(directory, { recursive: true })
    },
  }
}

function jobOf(bodyBytes: number, mode: BenchMode): AppendJob {
  const megabytes = mode === 'short' ? 64 : 256
  const batches = Math.ceil((megabytes * 2 ** 20) / bodyBytes)
  return { bodyBytes, batches, perCall: PER_CALL, samplesPerBatch: Math.floor(bodyBytes / BYTES_PER_SAMPLE) }
}

async function measureAppend(peer: AppendPeer, bodyBytes: number, mode: BenchMode): Promise<BenchRow[]> {
  const appender = await startAppender(peer)
  const job = jobOf(bodyBytes, mode)
  await appender.append({ ...job, batches: Math.ceil(job.batches / 8) })
  const before = process.cpuUsage()
  const elapsedMs = await appender.append(job)
  const rows = ratesOf(`${peer}, append ${bodyBytes} B`, job, elapsedMs, process.cpuUsage(before))
  await appender.close()
  return rows
}

async function measureLease(bodyBytes: number, mode: BenchMode): Promise<BenchRow[]> {
  const appender = await startAppender('embedded store')
  const job = jobOf(bodyBytes, mode)
  await appender.append(job)
  const { shard, close } = await ownShard(appender.directory)
  const before = process.cpuUsage()
  const start = performance.now()
  await takeAll(shard, job.batches)
  const rows = ratesOf(
    `embedded store, lease and settle ${bodyBytes} B`,
    job,
    performance.now() - start,
    process.cpuUsage(before),
  )
  await close()
  await appender.close()
  return rows
}

async function measureFlow(bodyBytes: number, mode: BenchMode): Promise<BenchRow[]> {
  const appender = await startAppender('embedded store')
  const job = jobOf(bodyBytes, mode)
  const { shard, close } = await ownShard(appender.directory)
  const before = process.cpuUsage()
  const start = performance.now()
  await Promise.all([appender.append(job), takeAll(shard, job.batches)])
  const rows = ratesOf(
    `embedded store, both at once ${bodyBytes} B`,
    job,
    performance.now() - start,
    process.cpuUsage(before),
  )
  await close()
  await appender.close()
  return rows
}

async function measureIdle(mode: BenchMode): Promise<BenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-bench-'))
  const shards = 16
  const stream = await openBatchStream({ directory, shards }, 'bench')
  const owned = await Promise.all(Array.from({ length: shards }, (_, shard) => stream.own(shard, 60_000)))
  const abort = new AbortController()
  setMaxListeners(shards, abort.signal)
  const waiting = owned.map((shard) => shard?.lease({ maxEntries: 64, maxBytes: 2 ** 22 }, 3_600_000, abort.signal))
  await pause(300)
  const seconds = mode === 'short' ? 3 : 10
  const before = process.cpuUsage()
  await pause(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  abort.abort()
  await Promise.all(waiting)
  await stream.close()
  rmSync(directory, { recursive: true })
  const value = (user + system) / 1e4 / seconds
  return [{ contender: `embedded store, ${shards} idle shards waiting`, unit: '% of one CPU', value }]
}

/** From the call of append in the other thread to the entry in the waiting lease. */
async function measureWaking(mode: BenchMode): Promise<BenchRow> {
  const appender = await startAppender('embedded store')
  const { shard, close } = await ownShard(appender.directory)
  const latencies: number[] = []
  for (let round = 0; round < (mode === 'short' ? 100 : 500); round++) {
    const lease = shard.lease({ maxEntries: 1, maxBytes: 2 ** 22 }, 10_000)
    await pause(2)
    const start = performance.now()
    void appender.append({ bodyBytes: 8100, batches: 1, perCall: 1, samplesPerBatch: 1 })
    const entries = await lease
    latencies.push(performance.now() - start)
    await settle(
      shard,
      entries.map(({ id }) => id),
    )
  }
  await close()
  await appender.close()
  latencies.sort((a, b) => a - b)
  const p99 = latencies[Math.floor(latencies.length * 0.99)].toFixed(2)
  const note = `p99 ${p99} ms; message to the thread, append, wake-up and lease`
  return {
    contender: 'embedded store, append to waiting lease',
    unit: 'ms p50',
    value: latencies[latencies.length >> 1],
    note,
  }
}

async function ownShard(directory: string): Promise<{ shard: OwnedShard; close(): Promise<void> }> {
  const stream = await openBatchStream({ directory, shards: 1, maxLogBytes: 2 ** 36 }, 'bench')
  const shard = await stream.own(0, 60_000)
  if (shard === undefined) throw new Error('The shard of a new store should be free.')
  return { shard, close: () => stream.close() }
}

async function takeAll(shard: OwnedShard, batches: number): Promise<void> {
  let ids: string[] = []
  for (let taken = 0; taken < batches; ) {
    const entries = await shard.lease({ maxEntries: 64, maxBytes: 2 ** 22 }, 10_000)
    if (entries.length === 0) throw new Error(`Only ${taken} of ${batches} batches came.`)
    taken += entries.length
    ids.push(...entries.map(({ id }) => id))
    if (ids.length >= 256 || taken === batches) {
      await settle(shard, ids)
      ids = []
    }
  }
}

async function settle(shard: OwnedShard, ack: string[]): Promise<void> {
  const { kind } = await shard.settle({ ack, retry: [], deadLetter: [], state: new Map() })
  if (kind !== 'settled') throw new Error(kind)
}

function ratesOf(contender: string, job: AppendJob, elapsedMs: number, cpu: NodeJS.CpuUsage): BenchRow[] {
  const samples = job.batches * job.samplesPerBatch
  const cpuUs = (cpu.user + cpu.system) / job.batches
  const note = `${Math.round(job.batches / (elapsedMs / 1000))} batches/s, ${cpuUs.toFixed(0)} us CPU a batch`
  return [{ contender, unit: 'samples/s', value: samples / (elapsedMs / 1000), note }]
}
