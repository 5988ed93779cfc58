import type { PackedReply } from '#core/protocol/handler-messages'
import type { Clock } from '#core/time/clock'
import type { LeasedEntry } from '#core/transport/batch-stream'
import type { Logger } from '../../host/logger.js'
import type { RateLimitedLog } from '../../host/rate-limited-log.js'
import type { HandlerPool } from '../dispatch/handler-pool.js'
import type { HandlerWatch } from '../dispatch/handler-watch.js'
import type { Sink } from '../sinks/sink.js'
import type { StoreHealth } from '../store-health.js'
import type { HoldReason } from './entry-verdict.js'
import type { InFlightBudget } from './in-flight-budget.js'
import type { LedgerBook } from './processor-ledger.js'
import type { TrialGate } from './trial-gate.js'

export interface ShardLoopSettings {
  /** How long an ownership lasts without being renewed. */
  leaseMs: number
  checkpoint: { intervalMs: number; maxEntries: number }
  /** Handler attempts after the first. */
  maxRetries: number
}

/** What all shard loops of a processor share. */
export interface ShardLoopContext {
  settings: ShardLoopSettings
  pool: HandlerPool
  sink: Sink
  budget: InFlightBudget
  trials: TrialGate
  ledger: LedgerBook
  health: StoreHealth
  clock: Clock
  log: Logger
  warnings: RateLimitedLog
  handlers: HandlerWatch
  /** In [0, 1); spreads what comes again over time. */
  random(): number
  /** Entries put back without an attempt, by reason. */
  held: Record<HoldReason, number>
  /** Runs without effect, to find out what ends a run. */
  probes: { runs: number }
  /** Told when what a run made of these entries is durable. Does not throw. */
  onWritten(entries: readonly LeasedEntry[], reply: PackedReply): void
}
