import { Worker } from 'node:worker_threads'
import { JOURNAL_TOTALS, type JournalTotals } from '#core/journal/seal-journal'
import type { Service } from '#core/lifecycle/service'
import type { DrainWorkerData } from '#core/protocol/drain-messages'
import type { Clock } from '#core/time/clock'
import type { Logger } from '../../host/logger.js'
import { RateLimitedLog } from '../../host/rate-limited-log.js'
import type { SeriesRegistry } from '../intake/series-registry.js'
import { RingDrain, type SpawnDrainWorker } from './ring-drain.js'

export interface DrainSupervisorOptions {
  /** Name of the hub in batch ids. */
  hubId: string
  /** Rings, and so drain workers: 1..16. */
  workers: number
  ring: { slots: number; rawBytes: number }
  batch: DrainWorkerData['batch']
  publish: DrainWorkerData['publish']
  /** Shards of the stream. */
  shards: number
  registry: SeriesRegistry
  clock: Clock
  log: Logger
  onLatency: (encoded: string) => void
  /** Starts the thread; default: the real one. */
  spawn?: SpawnDrainWorker
}

/** Devices begin to measure when the rings are drained, so that the first samples do not wait; but not later than this. */
const OPEN_PATIENCE_MS = 1500

/** The drain workers of a hub, one per ring. Thread: the hub's main thread. */
export class DrainSupervisor implements Service {
  readonly rings: readonly RingDrain[]
  readonly #registry: SeriesRegistry
  #isAnnouncing = false

  constructor(options: DrainSupervisorOptions) {
    const { hubId, workers, ring, batch, publish, registry, clock, log, onLatency, spawn = spawnDrainWorker } = options
    const epoch = clock.nowUs()
    const shards = publish.mode === 'list' ? 1 : options.shards
    const rateLimited = new RateLimitedLog(log, clock)
    const series = () => registry.descriptors
    this.#registry = registry
    this.rings = Array.from({ length: workers }, (_, index) => {
      const worker = { producer: `${hubId}.r${index}`, epoch, publish, batch }
      return new RingDrain({ index, ring, shards, worker, series, spawn, clock, log, rateLimited, onLatency })
    })
  }

  /** Resolves when every worker has opened the store, or failed to, at the latest after {@link OPEN_PATIENCE_MS}. */
  async start(): Promise<void> {
    this.#registry.onNewSeries = () => this.#announceSoon()
    for (const ring of this.rings) ring.start()
    let timer: NodeJS.Timeout | undefined
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, OPEN_PATIENCE_MS)
    })
    await Promise.race([Promise.all(this.rings.map(({ opened }) => opened)), patience])
    clearTimeout(timer)
  }

  async stop(deadlineMs: number): Promise<void> {
    await Promise.all(this.rings.map((ring) => ring.stop(deadlineMs)))
  }

  /** Sums over all rings, at one moment as seen by this thread. */
  totals(): JournalTotals & { inFlight: number; abandoned: number } {
    const sums = Object.fromEntries([...JOURNAL_TOTALS, 'inFlight', 'abandoned'].map((name) => [name, 0]))
    for (const ring of this.rings) {
      for (const [name, value] of Object.entries(ring.totals())) if (name in sums) sums[name] += value
    }
    return sums as ReturnType<RingDrain['totals']>
  }

  get isStoreUp(): boolean {
    return this.rings.every(({ status, problem }) => status?.storeUp === true && problem === undefined)
  }

  /** What is wrong with the first ring that has a problem. */
  get problem(): string | undefined {
    return this.rings.map(({ problem }) => problem).find((problem) => problem !== undefined)
  }

  /** Drivers intern many series in one go: one message for all of them. */
  #announceSoon(): void {
    if (this.#isAnnouncing) return
    this.#isAnnouncing = true
    queueMicrotask(() => {
      this.#isAnnouncing = false
      for (const ring of this.rings) ring.announceSeries()
    })
  }
}

function spawnDrainWorker(workerData: DrainWorkerData): Worker {
  return new Worker(new URL(import.meta.resolve('#workers/drain-worker')), { workerData, name: workerData.producer })
}
