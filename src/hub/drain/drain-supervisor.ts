import { isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import { JOURNAL_TOTALS, type JournalTotals } from '#core/journal/seal-journal'
import { SPOOL_COUNTS, type SpoolCounts } from '#core/journal/spool-counts'
import type { Service } from '#core/lifecycle/service'
import type { DrainWorkerData } from '#core/protocol/drain-messages'
import type { Clock } from '#core/time/clock'
import type { Logger } from '../../host/logger.js'
import { RateLimitedLog } from '../../host/rate-limited-log.js'
import { ONE_FOR_ALL, type RingClasses } from '../intake/ring-classes.js'
import type { SeriesRegistry } from '../intake/series-registry.js'
import { type PreparedSpool, prepareSpool } from '../spool/spool-directory.js'
import type { SpoolSettings } from '../spool/spool-settings.js'
import { RingDrain, type RingTotals, type SpawnDrainWorker } from './ring-drain.js'

export interface DrainSupervisorOptions {
  /** Name of the hub in batch ids. */
  hubId: string
  /** Rings for each list of classes, and so drain workers: 1..16. */
  workers: number
  /** Whose samples share a ring. */
  classes: readonly RingClasses[]
  ring: { slots: number; rawBytes: number }
  batch: DrainWorkerData['batch']
  publish: DrainWorkerData['publish']
  /** Shards of the stream. */
  shards: number
  /** Absent: batches wait in the rings when the store takes none. Only for `mode: stream`. */
  spool?: SpoolSettings | undefined
  /** See `DrainWorkerData.wall`. */
  wall?: SharedArrayBuffer
  registry: SeriesRegistry
  clock: Clock
  log: Logger
  onLatency: (encoded: string) => void
  /** Encoded histograms of the time that flushes of the spool took. */
  onFsync?: (encoded: string) => void
  /** Starts the thread; default: the real one. */
  spawn?: SpawnDrainWorker
}

/** Devices begin to measure when the rings are drained, so that the first samples do not wait; but not later than this. */
const OPEN_PATIENCE_MS = 1500

/** The drain workers of a hub, one per ring. Thread: the hub's main thread. */
export class DrainSupervisor implements Service {
  /** Those of the first of {@link classes} come first. */
  readonly rings: readonly RingDrain[]
  /** Whose samples share a ring: each list has as many rings. */
  readonly classes: readonly RingClasses[]
  readonly #registry: SeriesRegistry
  readonly #spool: PreparedSpool | undefined
  #isAnnouncing = false

  constructor(options: DrainSupervisorOptions) {
    const { hubId, ring, batch, publish, registry, clock, log, onLatency, spawn = spawnDrainWorker } = options
    const { onFsync = () => {} } = options
    const epoch = clock.nowUs()
    const shards = publish.mode === 'list' ? 1 : options.shards
    const rateLimited = new RateLimitedLog(log, clock)
    const series = () => registry.descriptors
    this.#registry = registry
    this.#spool = spoolOf(options)
    // Classes are kept apart for the spool.
    const wanted = options.workers * options.classes.length
    const workers = this.#spool?.kind === 'ready' ? this.#spool.lanes : options.workers
    this.classes = this.#spool?.kind === 'ready' ? this.#spool.classes : ONE_FOR_ALL
    if (this.#spool?.kind === 'unusable') log.error({ problem: this.#spool.problem }, 'the hub runs without a spool')
    if (this.#spool?.kind === 'ready' && this.#spool.abandoned.length > 0) {
      const text = 'other hubs have left batches: start one of their gateway.id to deliver them, or remove them'
      log.warn({ directories: this.#spool.abandoned }, text)
    }
    const isAsWanted = workers === wanted && isDeepStrictEqual(this.classes, options.classes)
    if (this.#spool?.kind === 'ready' && !isAsWanted) {
      const text =
        'the drain workers that filled the spool empty it first: ring.workers and which classes share a ring apply at a later start'
      log.warn({ workers, wanted, classes: this.classes }, text)
    }
    this.rings = Array.from({ length: workers }, (_, index) => {
      const wall = options.wall && { wall: options.wall }
      const worker = { producer: `${hubId}.r${index}`, epoch, publish, batch, ...wall }
      const spool = laneSpool(this.#spool, options.spool, index, workers)
      const ways = { spawn, clock, log, rateLimited, onLatency, onFsync }
      return new RingDrain({ index, ring, shards, worker, spool, series, ...ways })
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

  /** Has the rings of which that is asked hold their batches back in the spool, and the others send theirs. */
  hold(isHeld: (classes: RingClasses) => boolean): void {
    const perGroup = this.rings.length / this.classes.length
    for (const ring of this.rings) ring.hold(isHeld(this.classes[Math.floor(ring.index / perGroup)]))
  }

  async stop(deadlineMs: number): Promise<void> {
    await Promise.all(this.rings.map((ring) => ring.stop(deadlineMs)))
    if (this.#spool?.kind === 'ready') this.#spool.release()
  }

  /** Sums over all rings, at one moment as seen by this thread. */
  totals(): JournalTotals & { inFlight: number; abandoned: number; spool: SpoolCounts } {
    const sums = zeros([...JOURNAL_TOTALS, 'inFlight', 'abandoned'])
    const spool = zeros(SPOOL_COUNTS)
    let oldestAtUs = 0
    for (const ring of this.rings) {
      const { spool: counts, ...totals } = ring.totals()
      addTo(sums, totals)
      if (counts === undefined) continue
      addTo(spool, counts)
      if (counts.oldestAtUs > 0) oldestAtUs = Math.min(oldestAtUs || counts.oldestAtUs, counts.oldestAtUs)
    }
    return { ...(sums as Omit<RingTotals, 'spool'>), spool: { ...(spool as SpoolCounts), oldestAtUs } }
  }

  /** Whether batches are spooled when the store takes none. */
  get hasSpool(): boolean {
    return this.#spool?.kind === 'ready'
  }

  get isStoreUp(): boolean {
    return this.rings.every(({ status, problem }) => status?.storeUp === true && problem === undefined)
  }

  /** What is wrong with the first ring that has a problem. */
  get problem(): string | undefined {
    const problem = this.rings.map((ring) => ring.problem).find((one) => one !== undefined)
    return (
      problem ?? (this.#spool?.kind === 'unusable' ? `the hub runs without a spool: ${this.#spool.problem}` : undefined)
    )
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

function spoolOf({
  spool,
  publish,
  hubId,
  shards,
  workers,
  classes,
}: DrainSupervisorOptions): PreparedSpool | undefined {
  if (spool === undefined || publish.mode === 'list') return undefined
  return prepareSpool({ directory: spool.directory, hubId, shards, lanes: workers * classes.length, classes })
}

/** Each worker has its share of the bounds. */
function laneSpool(
  prepared: PreparedSpool | undefined,
  settings: SpoolSettings | undefined,
  lane: number,
  lanes: number,
) {
  if (prepared?.kind !== 'ready' || settings === undefined) return undefined
  const { maxBytes, maxAgeMs, batchAgeMs, fsyncMs, liveShare, keep } = settings
  return {
    directory: prepared.laneDirectory(lane),
    maxBytes: Math.floor(maxBytes / lanes),
    maxAgeMs,
    batchAgeMs,
    fsyncMs,
    liveShare,
    keep: { ...keep, bytes: Math.floor(keep.bytes / lanes) },
  }
}

function zeros(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, 0]))
}

function addTo(sums: Record<string, number>, values: Readonly<Record<string, number>>): void {
  for (const name of Object.keys(sums)) sums[name] += values[name]
}

function spawnDrainWorker(workerData: DrainWorkerData): Worker {
  return new Worker(new URL(import.meta.resolve('#workers/drain-worker')), { workerData, name: workerData.producer })
}
