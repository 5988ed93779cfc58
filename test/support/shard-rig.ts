import type { HandlerSpec } from '#core/protocol/handler-messages'
import { systemClock } from '#core/time/clock'
import { createLogger } from '#src/host/logger'
import { RateLimitedLog } from '#src/host/rate-limited-log'
import { InFlightBudget } from '#src/processor/consume/in-flight-budget'
import { LedgerBook } from '#src/processor/consume/processor-ledger'
import { ShardBalancer } from '#src/processor/consume/shard-balancer'
import { ShardLoop } from '#src/processor/consume/shard-loop'
import type { ShardLoopContext, ShardLoopSettings } from '#src/processor/consume/shard-loop-context'
import { SuspectLane } from '#src/processor/consume/suspect-lane'
import { TrialGate } from '#src/processor/consume/trial-gate'
import type { HandlerPool } from '#src/processor/dispatch/handler-pool'
import { HandlerWatch } from '#src/processor/dispatch/handler-watch'
import { imbalanceOf, type ProcessorLedger } from '#src/processor/processor-figures'
import { StoreHealth } from '#src/processor/store-health'
import type { FaultyStore } from './faulty-store.js'
import { MemorySink } from './memory-sink.js'
import { SummingPool } from './summing-pool.js'

const DEFAULTS: ShardLoopSettings = {
  leaseMs: 5000,
  checkpoint: { intervalMs: 20, maxEntries: 10 },
  maxRetries: 2,
}

/** The consuming half of a processor over a store, handlers and a sink that a test has in its hand. */
export class ShardRig {
  readonly store: FaultyStore
  readonly pool = new SummingPool()
  readonly sink: MemorySink
  readonly budget: InFlightBudget
  readonly ledger = new LedgerBook()
  readonly suspects = new Map<number, SuspectLane>()
  readonly balancer: ShardBalancer<ShardLoop>
  readonly handlers: HandlerWatch
  readonly held = { newer_version: 0, handler_paused: 0 }
  readonly probes = { runs: 0 }
  readonly #context: ShardLoopContext

  constructor(
    store: FaultyStore,
    settings: Partial<ShardLoopSettings> & { maxInFlight?: number } = {},
    holder = 'a',
    sink = new MemorySink(),
    { handlers = [], pool }: { handlers?: readonly HandlerSpec[]; pool?: HandlerPool } = {},
  ) {
    const log = createLogger({ name: 'test', level: 'silent' })
    const warnings = new RateLimitedLog(log, systemClock)
    this.store = store
    this.sink = sink
    this.budget = new InFlightBudget(settings.maxInFlight ?? 100)
    this.handlers = new HandlerWatch(handlers, { nowMs: systemClock.monotonicMs, random: Math.random })
    this.#context = {
      settings: { ...DEFAULTS, ...settings },
      pool: pool ?? this.pool,
      sink,
      budget: this.budget,
      trials: new TrialGate(),
      ledger: this.ledger,
      health: new StoreHealth(warnings),
      clock: systemClock,
      log,
      warnings,
      handlers: this.handlers,
      random: Math.random,
      held: this.held,
      probes: this.probes,
      onWritten: () => {},
    }
    this.balancer = new ShardBalancer(
      { holder, leaseMs: this.#context.settings.leaseMs },
      {
        stream: store.stream(holder),
        health: this.#context.health,
        log,
        start: (owned) => new ShardLoop(owned, this.suspectsOf(owned.shard), this.#context),
        random: Math.random,
      },
    )
  }

  suspectsOf(shard: number): SuspectLane {
    const suspects = this.suspects.get(shard) ?? new SuspectLane()
    this.suspects.set(shard, suspects)
    return suspects
  }

  get account(): ProcessorLedger {
    let inFlight = 0
    for (const loop of this.balancer.running.values()) inFlight += loop.samplesInFlight
    return this.ledger.toLedger(inFlight)
  }

  /** 0 while every leased sample is accounted for. */
  get imbalance(): number {
    return imbalanceOf(this.account)
  }

  /** Resolves when the claim holds; looks after each change of the store and at least every few milliseconds. */
  async until(what: string, holds: () => boolean, withinMs = 10_000): Promise<void> {
    const endMs = performance.now() + withinMs
    while (!holds()) {
      if (performance.now() > endMs)
        throw new Error(`Not within ${withinMs} ms: ${what}. ${JSON.stringify(this.account)}`)
      await this.store.change(5)
    }
  }

  settled(): Promise<void> {
    return this.until('all entries are settled', () => this.store.unsettled === 0 && this.account.inFlight === 0)
  }
}
