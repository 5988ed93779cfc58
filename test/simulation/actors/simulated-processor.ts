import { backoffWaitMs } from '#core/policy/backoff'
import type { Clock } from '#core/time/clock'
import { pause } from '#core/time/pause'
import type { PressureSignal } from '#core/transport/pressure-signal'
import { openBatchStream } from '#core/transport/redis/redis-stream'
import type { Logger } from '#src/host/logger'
import { RateLimitedLog } from '#src/host/rate-limited-log'
import { InFlightBudget } from '#src/processor/consume/in-flight-budget'
import { LedgerBook } from '#src/processor/consume/processor-ledger'
import type { ShardLoopContext } from '#src/processor/consume/shard-loop-context'
import { TrialGate } from '#src/processor/consume/trial-gate'
import { HandlerWatch } from '#src/processor/dispatch/handler-watch'
import { imbalanceOf } from '#src/processor/processor-figures'
import { StoreHealth } from '#src/processor/store-health'
import { StoreSession } from '#src/processor/store-session'
import { Actor } from '../engine/actor.js'
import type { World } from '../world.js'
import { SimulatedPool } from './simulated-pool.js'
import { SimulatedSink } from './simulated-sink.js'

/** As `ProcessorProgram` waits for a store that is away. */
const OPEN_RETRY = { baseMs: 100, maxMs: 2000 }
const PRESSURE_LIMITS = { maxBytes: 2 ** 28, maxHeadAgeMs: 60_000 }
/** The pressure decides nothing about delivery: it is not simulated. */
const NOBODY_LISTENS: PressureSignal = {
  write: async () => {},
  read: async () => undefined,
  close: async () => {},
}

/** What one life of a processor consists of. */
interface Life {
  readonly actor: Actor
  readonly sink: SimulatedSink
  readonly budget: InFlightBudget
  readonly ledger: LedgerBook
  readonly ending: AbortController
  session: StoreSession | undefined
}

/** A processor: the real store session, balancer and shard loops, over and over again. */
export class SimulatedProcessor {
  readonly name: string
  readonly #world: World
  #life: Life | undefined
  #lives = 0

  constructor(world: World, name: string) {
    this.#world = world
    this.name = name
  }

  get actor(): Actor | undefined {
    return this.#life?.actor
  }

  start(): void {
    const { scheduler } = this.#world
    const actor = new Actor(`${this.name}.${++this.#lives}`)
    const budget = new InFlightBudget(this.#world.plan.maxInFlight)
    const sink = new SimulatedSink(this.#world, actor)
    const life = { actor, sink, budget, ledger: new LedgerBook(), ending: new AbortController(), session: undefined }
    this.#life = life
    scheduler.at(0, actor, 'start', () => void this.#live(life))
  }

  /** Ends at once, and comes back. */
  crash(why: string): void {
    const { scheduler, random, coverage } = this.#world
    const life = this.#life
    if (life === undefined) return
    this.#life = undefined
    life.actor.isAlive = false
    scheduler.note(`${life.actor.name}: ${why}`)
    life.sink.die(random.next())
    for (const call of this.#world.cutClientsOf(life.actor)) coverage.add(why, call)
    coverage.add(why, 'in all')
    scheduler.at(random.between(10, 2000), undefined, `${this.name} comes back`, () => this.start())
  }

  /** Ends in good order, and comes back. */
  restart(): void {
    const { scheduler, coverage } = this.#world
    const life = this.#life
    if (life === undefined || life.ending.signal.aborted) return
    coverage.add('processor', 'restarted')
    scheduler.at(0, life.actor, 'is told to stop', () => void this.#end(life))
  }

  /** What its own books say is wrong; `undefined`: nothing. */
  findFault(): string | undefined {
    if (this.#life === undefined) return undefined
    const { actor, ledger, session, budget } = this.#life
    const account = ledger.toLedger(session?.samplesInFlight ?? 0)
    if (imbalanceOf(account) !== 0) return `the ledger of ${actor.name} does not balance: ${JSON.stringify(account)}`
    if (budget.used < (session?.entriesInFlight ?? 0)) {
      return `the budget of ${actor.name} has ${budget.used} entries, ${session?.entriesInFlight} are held`
    }
    return undefined
  }

  async #live(life: Life): Promise<void> {
    const { plan } = this.#world
    const { actor, ending } = life
    const options = { ...plan.redis, shards: plan.shards }
    for (let failures = 1; !ending.signal.aborted; failures++) {
      try {
        const stream = await openBatchStream(options, actor.name, this.#world.clientsOf(actor))
        if (ending.signal.aborted) return await stream.close()
        life.session = new StoreSession(
          { stream, pressure: NOBODY_LISTENS },
          actor.name,
          PRESSURE_LIMITS,
          this.#contextOf(life),
        )
        return life.session.start()
      } catch {
        await pause(backoffWaitMs(OPEN_RETRY, failures, Math.random()), ending.signal)
      }
    }
  }

  async #end({ actor, ending, session, budget }: Life): Promise<void> {
    const { scheduler, random } = this.#world
    ending.abort()
    await session?.stop()
    if (budget.used !== 0) this.#world.violated(`${actor.name} has stopped with ${budget.used} entries in its budget`)
    await session?.close()
    this.#life = undefined
    actor.isAlive = false
    scheduler.at(random.between(1, 500), undefined, `${this.name} comes back`, () => this.start())
  }

  #contextOf({ actor, sink, budget, ledger }: Life): ShardLoopContext {
    const { plan, scheduler } = this.#world
    const clock: Clock = { nowUs: () => Math.round(scheduler.nowMs * 1000), monotonicMs: () => scheduler.nowMs }
    const log = this.#logOf(actor)
    const warnings = new RateLimitedLog(log, clock)
    return {
      settings: { leaseMs: plan.leaseMs, checkpoint: plan.checkpoint, maxRetries: plan.maxRetries },
      pool: new SimulatedPool(this.#world, actor, () => {
        this.#world.oracle.killedByEntry(actor.name)
        this.crash('killed by an entry')
      }),
      sink,
      budget,
      trials: new TrialGate(),
      ledger,
      health: new StoreHealth(warnings),
      clock,
      log,
      warnings,
      handlers: new HandlerWatch([], { nowMs: clock.monotonicMs, random: Math.random }),
      random: Math.random,
      held: { newer_version: 0, handler_paused: 0 },
      probes: { runs: 0 },
      onWritten: () => {},
    }
  }

  /** Warnings are noted; an error says that something happened which must not. */
  #logOf(actor: Actor): Logger {
    const { scheduler } = this.#world
    const log = {
      debug: () => {},
      info: () => {},
      warn: (fields: Readonly<Record<string, unknown>>, message: string) => {
        scheduler.note(`warns: ${message} ${String(fields.end ?? '')}`)
      },
      error: ({ err }: { err?: Error }, message: string) => {
        this.#world.violated(`${actor.name} says: ${message}: ${err?.stack ?? err?.message}`)
      },
    }
    // Cast: product code calls no more of pino than this.
    return log as unknown as Logger
  }
}
