import type { Worker } from 'node:worker_threads'
import { messageOf } from '#core/errors/telemetry-error'
import { createSealJournal } from '#core/journal/layout'
import { type JournalTotals, SealJournal } from '#core/journal/seal-journal'
import { createSpoolCounts, type SpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import type { SeriesDescriptor } from '#core/model/series'
import { backoffWaitMs } from '#core/policy/backoff'
import type {
  DrainStatus,
  DrainWorkerData,
  FromDrainWorker,
  SpoolOptions,
  ToDrainWorker,
} from '#core/protocol/drain-messages'
import { createRing } from '#core/ring/layout'
import { RingProducer } from '#core/ring/ring-producer'
import type { Clock } from '#core/time/clock'
import type { Logger } from '../../host/logger.js'
import type { RateLimitedLog } from '../../host/rate-limited-log.js'
import { RingLane } from '../intake/ring-lane.js'

export type SpawnDrainWorker = (data: DrainWorkerData) => Worker

export interface RingDrainOptions {
  /** Number of the ring. */
  index: number
  ring: { slots: number; rawBytes: number }
  /** Shards of the stream; 1 for a list. */
  shards: number
  worker: Pick<DrainWorkerData, 'producer' | 'epoch' | 'publish' | 'batch' | 'wall'>
  spool: Omit<SpoolOptions, 'counts'> | undefined
  /** All series there are, indexed by id. */
  series: () => readonly SeriesDescriptor[]
  spawn: SpawnDrainWorker
  clock: Clock
  log: Logger
  rateLimited: RateLimitedLog
  /** Encoded histograms of the time from reading to stored. */
  onLatency: (encoded: string) => void
  /** Encoded histograms of the time that flushes of the spool took. */
  onFsync: (encoded: string) => void
}

/** What one ring's workers have counted. */
export interface RingTotals extends JournalTotals {
  inFlight: number
  abandoned: number
  /** `undefined`: there is no spool. */
  spool: SpoolCounts | undefined
}

/** A dead worker is replaced after so long. */
const RESTART = { baseMs: 50, maxMs: 2000 }
/** A worker that lived so long was well: the next restart is quick again. */
const WELL_AFTER_MS = 10_000
/** What is said when a worker begins to do something else because of the pressure. */
const SPILL_TEXTS = {
  off: { level: 'info', text: 'all that waited for the processors is sent' },
  holding: { level: 'warn', text: 'the processors are behind: batches wait in the spool' },
  easing: { level: 'info', text: 'the processors keep up: what waited in the spool is sent bit by bit' },
  exhausted: {
    level: 'warn',
    text: 'the spool keeps its room for a store that is away: batches are sent though the processors are behind',
  },
} as const
/** So many ends before `ready` in a row, and the hub says that it is unhealthy. */
const UNHEALTHY_STARTS = 3

/**
 * One ring, its journal and the worker that drains it: started again whenever it dies, with both, so that it goes on
 * where the dead one was.
 *
 * Thread: the hub's main thread.
 */
export class RingDrain {
  readonly index: number
  readonly lane: RingLane
  readonly #options: RingDrainOptions
  readonly #ring: SharedArrayBuffer
  readonly #journalMemory: SharedArrayBuffer
  readonly #journal: SealJournal
  readonly #spool: SpoolOptions | undefined
  readonly #spoolCounts: SpoolCountsView | undefined
  #worker: Worker | undefined
  #restartTimer: NodeJS.Timeout | undefined
  #seriesSent = 0
  #startedMs = 0
  #isReady = false
  #isStopping = false
  #hasStopped = false
  #onEnd: (() => void) | undefined
  #status: DrainStatus | undefined
  #isHeld = false
  #restarts = 0
  #failuresInARow = 0
  #failedStarts = 0
  #crash: string | undefined
  /** Of the workers before this one. */
  #retriedBefore = 0
  #openingsBefore = 0
  #abandoned = 0
  #onOpened = () => {}
  /** Resolves when the first worker has opened the store, has failed to, or has died. */
  readonly opened = new Promise<void>((resolve) => {
    this.#onOpened = resolve
  })

  constructor(options: RingDrainOptions) {
    this.index = options.index
    this.#options = options
    this.#ring = createRing(options.ring)
    this.#journalMemory = createSealJournal({
      shards: options.shards,
      maxInFlight: options.worker.batch.maxInFlight,
    })
    this.#journal = new SealJournal(this.#journalMemory)
    if (options.spool !== undefined) {
      this.#spool = { ...options.spool, counts: createSpoolCounts(options.shards) }
      this.#spoolCounts = new SpoolCountsView(this.#spool.counts)
    }
    this.lane = new RingLane(new RingProducer(this.#ring))
  }

  /** What was counted, with the samples that are neither counted there nor dropped, all at one moment. */
  totals(): RingTotals {
    const totals = this.#journal.totals()
    const spool = this.#spoolCounts?.read()
    const unsettled = (this.lane.ring.position - totals.settledIndex) >>> 0
    return { ...totals, inFlight: unsettled - this.#abandoned, abandoned: this.#abandoned, spool }
  }

  get batchesInFlight(): number {
    return this.#journal.batchesInFlight
  }

  /** Over all workers of the ring. */
  get batchesRetried(): number {
    return this.#retriedBefore + (this.#status?.batchesRetried ?? 0)
  }

  get breakerOpenings(): number {
    return this.#openingsBefore + (this.#status?.breakerOpenings ?? 0)
  }

  get restarts(): number {
    return this.#restarts
  }

  get isUp(): boolean {
    return this.#isReady
  }

  /** As the worker told last; `undefined` until it has opened the store, or failed to. */
  get status(): DrainStatus | undefined {
    return this.#status
  }

  /** What is wrong, in words; `undefined`: nothing. */
  get problem(): string | undefined {
    if (this.#failedStarts >= UNHEALTHY_STARTS) {
      return `drain worker ${this.index} cannot start (${this.#failedStarts} tries): ${this.#crash ?? 'no reason given'}`
    }
    if (this.#status === undefined) return 'the store is not open yet: samples wait in the ring'
    const { storeUp, spoolProblem, lastError } = this.#status
    if (storeUp) return spoolProblem
    const reason = lastError?.message ?? 'the store cannot be reached'
    if (spoolProblem !== undefined) return `samples wait in the ring: ${reason}; ${spoolProblem}`
    return this.#spool === undefined ? `samples wait in the ring: ${reason}` : `samples wait in the spool: ${reason}`
  }

  start(): void {
    const { spawn, worker, series, clock } = this.#options
    const known = [...series()]
    this.#restartTimer = undefined
    this.#seriesSent = known.length
    this.#startedMs = clock.monotonicMs()
    this.#isReady = false
    const memory = { ring: this.#ring, journal: this.#journalMemory }
    const thread = spawn({
      ...worker,
      ...memory,
      isHeld: this.#isHeld,
      series: known,
      ...(this.#spool !== undefined && { spool: this.#spool }),
    })
    this.#worker = thread
    thread.on('message', (message: FromDrainWorker) => this.#hear(message))
    thread.on('error', (error) => {
      this.#crash = messageOf(error)
    })
    thread.once('exit', (code) => this.#onExit(code))
    if (this.#isStopping) this.#send({ kind: 'drain-and-stop' })
  }

  /** Has batches held back in the spool, or sent again; a worker that follows is told, too. Without a spool: nothing. */
  hold(isHeld: boolean): void {
    if (isHeld === this.#isHeld) return
    this.#isHeld = isHeld
    this.#send({ kind: 'hold', isHeld })
  }

  /** Tells the worker of the series it does not know yet. */
  announceSeries(): void {
    const series = this.#options.series()
    if (this.#worker === undefined || series.length === this.#seriesSent) return
    this.#send({ kind: 'series', from: this.#seriesSent, series: series.slice(this.#seriesSent) })
    this.#seriesSent = series.length
  }

  /**
   * Has the rest stored and ends the worker. What is not confirmed by the deadline is given up: counted, and told.
   * Nothing may be published afterwards.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true
    const ended = new Promise<'ended'>((resolve) => {
      this.#onEnd = () => resolve('ended')
    })
    if (this.#worker !== undefined) this.#send({ kind: 'drain-and-stop' })
    else if (this.#restartTimer !== undefined) {
      clearTimeout(this.#restartTimer)
      this.start()
    } else return
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<'overdue'>((resolve) => {
      timer = setTimeout(() => resolve('overdue'), deadlineMs)
    })
    const outcome = await Promise.race([ended, deadline])
    clearTimeout(timer)
    if (outcome === 'overdue') await this.#giveUp()
  }

  async #giveUp(): Promise<void> {
    this.#hasStopped = true
    clearTimeout(this.#restartTimer)
    await this.#worker?.terminate()
    this.#abandoned = this.totals().inFlight
    if (this.#abandoned === 0) return
    const fields = { ring: this.index, samples: this.#abandoned, problem: this.problem }
    this.#options.log.error(fields, 'samples were not confirmed by the store in time and are given up')
  }

  #hear(message: FromDrainWorker): void {
    switch (message.kind) {
      case 'ready':
        this.#isReady = true
        this.#failedStarts = 0
        return
      case 'progress':
        if (message.latencyHistogram !== undefined) this.#options.onLatency(message.latencyHistogram)
        if (message.fsyncHistogram !== undefined) this.#options.onFsync(message.fsyncHistogram)
        this.#takeStatus(message.status)
        return
      case 'repaired': {
        const { kind: _, ...fields } = message
        this.#options.log.warn({ ring: this.index, ...fields }, 'the store had lost batches, and has them again')
        return
      }
      case 'rolled-back': {
        const { kind: _, ...fields } = message
        const text = 'the store lost batches it had confirmed, more than are still held: counted as dropped'
        this.#options.log.error({ ring: this.index, ...fields }, text)
        return
      }
      case 'stopped':
        this.#hasStopped = true
    }
  }

  #takeStatus(status: DrainStatus): void {
    const before = this.#status
    this.#status = status
    this.#onOpened()
    const { log, rateLimited } = this.#options
    const { lastError, breaker, spoolProblem, spill = 'off' } = status
    if (spill !== (before?.spill ?? 'off')) log[SPILL_TEXTS[spill].level]({ ring: this.index }, SPILL_TEXTS[spill].text)
    if (spoolProblem !== undefined) {
      rateLimited.warn(`spool ${this.index}`, { ring: this.index, reason: spoolProblem }, 'the spool is out of use')
    }
    if (status.storeUp) {
      if (before?.storeUp !== true) log.info({ ring: this.index }, 'the store takes batches')
      return
    }
    const { code, message, batchId } = lastError ?? {}
    const fields = { ring: this.index, code, batchId, breaker, reason: message }
    const where = this.#spool === undefined || spoolProblem !== undefined ? 'ring' : 'spool'
    rateLimited.warn(`store ${this.index} ${code}`, fields, `the store takes no batches, samples wait in the ${where}`)
  }

  #onExit(code: number): void {
    const { log, clock } = this.#options
    this.#worker = undefined
    this.#onOpened()
    this.#retriedBefore += this.#status?.batchesRetried ?? 0
    this.#openingsBefore += this.#status?.breakerOpenings ?? 0
    this.#status = undefined
    if (this.#hasStopped) {
      this.#isReady = false
      this.#onEnd?.()
      return
    }
    if (!this.#isReady) this.#failedStarts++
    this.#isReady = false
    if (clock.monotonicMs() - this.#startedMs >= WELL_AFTER_MS) this.#failuresInARow = 0
    this.#failuresInARow++
    this.#restarts++
    const waitMs = backoffWaitMs(RESTART, this.#failuresInARow, Math.random())
    log.error(
      { ring: this.index, exitCode: code, reason: this.#crash, waitMs },
      'a drain worker ended, another follows',
    )
    this.#restartTimer = setTimeout(() => this.start(), waitMs)
  }

  #send(message: ToDrainWorker): void {
    this.#worker?.postMessage(message)
  }
}
