import { join } from 'node:path'
import type { HandlerSpec, PackedReply } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import type { LeasedEntry, StreamLocator } from '#core/transport/batch-stream'
import { createLogger } from '#src/host/logger'
import { RateLimitedLog } from '#src/host/rate-limited-log'
import { InFlightBudget } from '#src/processor/consume/in-flight-budget'
import { LedgerBook } from '#src/processor/consume/processor-ledger'
import type { ShardLoopSettings } from '#src/processor/consume/shard-loop-context'
import { TrialGate } from '#src/processor/consume/trial-gate'
import { ThreadPool } from '#src/processor/dispatch/handler-pool'
import { HandlerWatch } from '#src/processor/dispatch/handler-watch'
import { SinkThread } from '#src/processor/sinks/sink-thread'
import { StoreHealth } from '#src/processor/store-health'
import { StoreSession } from '#src/processor/store-session'
import { temporaryDirectory } from './temporary-directory.js'

/** Settings of a processor as its options have them by default. */
const SETTINGS: ShardLoopSettings = {
  leaseMs: 10_000,
  checkpoint: { intervalMs: 1000, maxEntries: 2000 },
  maxRetries: 3,
}
const MAX_IN_FLIGHT = 10_000
const PRESSURE = { maxBytes: 2 ** 28, maxHeadAgeMs: 60_000 }

export interface SessionEvents {
  /** What a run made of the entries is durable. */
  onWritten(entries: readonly LeasedEntry[], reply: PackedReply): void
  /** How long each run took in its thread, milliseconds. */
  onRun?(durationMs: number): void
}

/**
 * The working parts of a processor in the test's own process: session, handler threads, SQLite in its thread. Tells at
 * once, entry by entry, what was written; a processor of its own process only has figures.
 */
export class SessionProcessor {
  readonly session: StoreSession
  readonly ledger: LedgerBook
  /** Of its findings and stored batches. */
  readonly databasePath: string
  readonly #pool: ThreadPool
  readonly #sink: SinkThread

  private constructor(
    session: StoreSession,
    ledger: LedgerBook,
    databasePath: string,
    pool: ThreadPool,
    sink: SinkThread,
  ) {
    this.session = session
    this.ledger = ledger
    this.databasePath = databasePath
    this.#pool = pool
    this.#sink = sink
  }

  static async start(
    locator: StreamLocator,
    handlers: readonly HandlerSpec[],
    { onWritten, onRun }: SessionEvents,
    settings: Partial<ShardLoopSettings> = {},
  ): Promise<SessionProcessor> {
    const log = createLogger({ name: 'test', level: 'warn' })
    const warnings = new RateLimitedLog(log, systemClock)
    const directory = await temporaryDirectory('session-processor')
    const poolOptions = { threads: 1, maxHeapBytes: 2 ** 28, runDeadlineMs: 30_000, workerData: { handlers } }
    const pool = new ThreadPool(poolOptions, systemClock, log, onRun)
    const path = join(directory, 'findings.db')
    const moduleUrl = import.meta.resolve('#src/processor/sinks/sqlite-sink')
    const sink = new SinkThread({ moduleUrl, options: { path } }, log)
    const ledger = new LedgerBook()
    const session = await StoreSession.open(locator, 'test', PRESSURE, {
      settings: { ...SETTINGS, ...settings },
      pool,
      sink,
      budget: new InFlightBudget(MAX_IN_FLIGHT),
      trials: new TrialGate(),
      ledger,
      health: new StoreHealth(warnings),
      clock: systemClock,
      log,
      warnings,
      handlers: new HandlerWatch(handlers, { nowMs: systemClock.monotonicMs, random: Math.random }),
      random: Math.random,
      held: { newer_version: 0, handler_paused: 0 },
      probes: { runs: 0 },
      onWritten,
    })
    session.start()
    return new SessionProcessor(session, ledger, path, pool, sink)
  }

  /** The orderly end. */
  async stop(): Promise<void> {
    await this.session.stop()
    await this.#pool.close()
    await this.#sink.close(2000)
    await this.session.close()
  }
}
