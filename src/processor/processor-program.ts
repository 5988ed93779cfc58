import type { FastifyInstance } from 'fastify'
import { messageOf } from '#core/errors/telemetry-error'
import { backoffWaitMs } from '#core/policy/backoff'
import type { BreakerState } from '#core/policy/circuit-breaker'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { pause } from '#core/time/pause'
import type { StreamLocator } from '#core/transport/batch-stream'
import type { Logger } from '../host/logger.js'
import type { Program } from '../host/program.js'
import { RateLimitedLog } from '../host/rate-limited-log.js'
import { StoreDoctor } from '../host/store-doctor.js'
import { streamLocator } from '../host/stream-locator.js'
import { addDeadLetterRoutes } from './api/dead-letter-routes.js'
import { addProcessorRoutes } from './api/processor-routes.js'
import { serve } from './api/serve.js'
import type { ProcessorSettings } from './config/processor-options.js'
import { EMPTY_BACKLOG, headAgeMs } from './consume/depth-watch.js'
import { InFlightBudget } from './consume/in-flight-budget.js'
import { LedgerBook } from './consume/processor-ledger.js'
import type { ShardLoopContext } from './consume/shard-loop-context.js'
import { TrialGate } from './consume/trial-gate.js'
import { LetterTrials } from './dead-letters/letter-trial.js'
import { DeadLetterWorkbench } from './dead-letters/workbench.js'
import { ThreadPool } from './dispatch/handler-pool.js'
import { HandlerWatch } from './dispatch/handler-watch.js'
import type { ProcessorFigures } from './processor-figures.js'
import { type Health, HealthJudge } from './processor-health.js'
import { createProcessorMetrics, type ProcessorMetrics } from './processor-metrics.js'
import { ProcessorObserver } from './processor-observer.js'
import { PROCESSOR_ROLES } from './processor-roles.js'
import { SinkReader } from './sinks/sink-reader.js'
import { SinkThread } from './sinks/sink-thread.js'
import type { SqliteOptions } from './sinks/sqlite-sink.js'
import { StoreHealth } from './store-health.js'
import { StoreSession } from './store-session.js'

const OPEN_RETRY = { baseMs: 100, maxMs: 3000 }
/** Of the time a stop may take, the part for finishing the work; the rest is for letting go of it. */
const ORDERLY_PART = 0.6

/**
 * The processor: composes store, handler threads, sink and REST, and ends them in the order that loses nothing.
 *
 * It starts whether or not the store and the sink can be reached, and says so in `/health`.
 */
export class ProcessorProgram implements Program<ProcessorFigures> {
  readonly #settings: ProcessorSettings
  readonly #log: Logger
  readonly #health: StoreHealth
  readonly #doctor: StoreDoctor
  readonly #judge = new HealthJudge(systemClock)
  readonly #ledger = new LedgerBook()
  readonly #observer: ProcessorObserver
  readonly #pool: ThreadPool
  readonly #sink: SinkThread
  readonly #reader: SinkReader
  readonly #metrics: ProcessorMetrics
  readonly #context: ShardLoopContext
  readonly #handlers: HandlerWatch
  readonly #held = { newer_version: 0, handler_paused: 0 }
  readonly #probes = { runs: 0 }
  readonly #locator: StreamLocator
  readonly #deadLetters: DeadLetterWorkbench
  readonly #letterTrials: LetterTrials
  readonly #stopping = new AbortController()
  readonly #startedMs = systemClock.monotonicMs()
  #session: StoreSession | undefined
  #opening: Promise<void> = Promise.resolve()
  #server: FastifyInstance | undefined
  #url = ''

  /** @param handlers in the order in which they see a batch */
  constructor(settings: ProcessorSettings, handlers: readonly HandlerSpec[], log: Logger) {
    const warnings = new RateLimitedLog(log, systemClock)
    const sqlite: SqliteOptions = { path: settings.sqlitePath }
    const sinkModule = { moduleUrl: import.meta.resolve('#src/processor/sinks/sqlite-sink'), options: sqlite }
    const { threads, maxHeapBytes, runDeadlineMs } = settings
    const poolOptions = { threads, maxHeapBytes, runDeadlineMs, workerData: { handlers } }
    this.#settings = settings
    this.#locator = streamLocator(settings.store, settings.deadLetters)
    this.#deadLetters = new DeadLetterWorkbench(this.#locator, settings.maxReplays, systemClock, warnings)
    this.#log = log
    this.#health = new StoreHealth(warnings)
    this.#doctor = new StoreDoctor(settings.store, PROCESSOR_ROLES, log)
    this.#observer = new ProcessorObserver(
      handlers.map(({ type }) => type),
      systemClock,
    )
    const { monotonicMs: nowMs } = systemClock
    this.#handlers = new HandlerWatch(handlers, { nowMs, random: Math.random }, (type, state) =>
      this.#handlerChanged(type, state),
    )
    this.#pool = new ThreadPool(poolOptions, systemClock, log, (durationMs) => this.#metrics.observeRun(durationMs))
    this.#letterTrials = new LetterTrials(poolOptions, systemClock, log)
    this.#sink = new SinkThread(sinkModule, log)
    this.#reader = new SinkReader(sinkModule)
    this.#metrics = createProcessorMetrics({
      figures: () => this.figures(),
      entriesInFlight: () => this.#session?.entriesInFlight ?? 0,
      lagSeconds: () => this.#lagSeconds(),
      pool: this.#pool.counters,
      threads: () => this.#pool.threads,
      sink: this.#sink.counters,
      chunks: () => this.#observer.chunks,
      latency: this.#observer.latency,
      inbox: () => this.#session?.inboxCounters,
      handlers: this.#handlers,
      held: this.#held,
      probes: this.#probes,
      deadLetters: () => this.#deadLetters.totals,
    })
    this.#context = {
      settings,
      pool: this.#pool,
      sink: this.#sink,
      budget: new InFlightBudget(settings.maxInFlight),
      trials: new TrialGate(),
      ledger: this.#ledger,
      health: this.#health,
      clock: systemClock,
      log,
      warnings,
      handlers: this.#handlers,
      random: Math.random,
      held: this.#held,
      probes: this.#probes,
      onWritten: (entries, reply) => this.#observer.written(entries, reply),
    }
  }

  get url(): string {
    return this.#url
  }

  /** Resolves once REST answers. @throws TLM_PORT_IN_USE, TLM_OPTIONS_INVALID */
  async start(): Promise<void> {
    if (this.#server !== undefined) return
    await this.#pool.check()
    const { server, url } = await serve(this.#settings.http, this.#log, (instance) => {
      addProcessorRoutes(instance, {
        metrics: this.#metrics,
        reader: this.#reader,
        figures: () => this.figures(),
        health: () => this.health(),
        latency: () => this.#observer.latency.toHgrm(),
      })
      addDeadLetterRoutes(instance, {
        box: () => this.#deadLetters.box(),
        jobs: this.#deadLetters.jobs,
        trials: this.#letterTrials,
        maxReplays: this.#settings.maxReplays,
      })
    })
    this.#server = server
    this.#url = url
    const { holder, threads, store, sqlitePath } = this.#settings
    this.#log.info({ url, holder, threads, store: store.kind, sqlitePath }, 'processor started')
    this.#doctor.start()
    this.#opening = this.#openStore()
    this.#deadLetters.start()
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort()
    this.#doctor.stop()
    const closing = Promise.all([this.#deadLetters.close(), this.#letterTrials.close()])
    await within(closing, deadlineMs * 0.1)
    await within(this.#opening, deadlineMs * 0.1)
    const work = this.#session?.stop() ?? Promise.resolve()
    const orderly = await within(work, deadlineMs * ORDERLY_PART)
    const sinkDeadlineMs = deadlineMs * 0.1
    if (orderly) {
      await Promise.all([this.#pool.close(), this.#sink.close(sinkDeadlineMs)])
    } else {
      this.#log.warn({ inFlight: this.figures().ledger.inFlight }, 'left to the next owner: the deadline has passed')
      this.#session?.abandon()
      await Promise.all([this.#pool.close(), this.#sink.close(0)])
      await within(work, deadlineMs * 0.2)
    }
    await within(this.#session?.close() ?? Promise.resolve(), deadlineMs * 0.1)
    await this.#reader.close()
    await this.#server?.close()
    this.#log.info({ ledger: this.figures().ledger, orderly }, 'processor stopped')
  }

  health(): Health {
    return this.#judge.judge({
      storeProblem: this.#health.problem ?? this.#doctor.problem,
      sinkProblem: this.#sink.failure?.message,
      paused: this.#handlers.problem,
      waiting: this.#session?.backlog.waiting ?? 0,
      leased: this.#ledger.leased,
    })
  }

  figures(): ProcessorFigures {
    const { entries, samples, deadLetters, delayed } = this.#session?.backlog ?? EMPTY_BACKLOG
    const { recentLatency, findings, findingsBy } = this.#observer
    return {
      ledger: this.#ledger.toLedger(this.#session?.samplesInFlight ?? 0),
      findings: { written: findings, byHandler: findingsBy },
      latencyP50Ms: recentLatency.percentileUs(50) / 1000,
      latencyP99Ms: recentLatency.percentileUs(99) / 1000,
      uptimeSeconds: (systemClock.monotonicMs() - this.#startedMs) / 1000,
      shardsOwned: this.#session?.shardsOwned ?? 0,
      backlog: { entries, samples, deadLetters, delayed },
      isStoreUp: this.#health.isUp,
      pressure: this.#session?.pressure ?? 'green',
      isSinkUp: this.#sink.failure === undefined,
    }
  }

  #handlerChanged(handler: string, state: BreakerState): void {
    if (state === 'closed') this.#log.info({ handler }, 'the handler works again: it is given its batches')
    else this.#log.error({ handler }, 'the handler fails on every batch: its batches wait, it is tried now and then')
  }

  /** Until the store is open, however long it is away. */
  async #openStore(): Promise<void> {
    const { holder, pressure } = this.#settings
    for (let failures = 1; !this.#stopping.signal.aborted; failures++) {
      try {
        const session = await StoreSession.open(this.#locator, holder, pressure, this.#context)
        this.#health.answered()
        // The stop came while it was opened, and did not wait for it.
        if (this.#stopping.signal.aborted) return await session.close()
        this.#session = session
        return session.start()
      } catch (error) {
        this.#health.failed('open', error)
        this.#log.debug({ failures }, messageOf(error))
        await pause(backoffWaitMs(OPEN_RETRY, failures, Math.random()), this.#stopping.signal)
      }
    }
  }

  #lagSeconds(): number {
    return headAgeMs(this.#session?.backlog ?? EMPTY_BACKLOG, systemClock) / 1000
  }
}

/** @returns whether it ended in time */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const timeout = new AbortController()
  const ended = await Promise.race([work.then(() => true), pause(ms, timeout.signal).then(() => false)])
  timeout.abort()
  return ended
}
