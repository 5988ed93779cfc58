import { type Backoff, backoffWaitMs } from '#core/policy/backoff'
import type { BreakerState } from '#core/policy/circuit-breaker'
import { DEATH_WEIGHT, HandlerCircuit, type HandlerCircuitOptions } from '#core/policy/handler-circuit'
import { RetryBudget } from '#core/policy/retry-budget'
import type { HandlerSpec } from '#core/protocol/handler-messages'

/** Waits between attempts of one entry. */
const RETRY: Backoff = { baseMs: 500, maxMs: 300_000 }
const BUDGET = { ratio: 0.1, floorPerSecond: 2, maxWaitMs: 600_000 }

/** What may be done with an entry now; `try`: with this handler alone, and without effect. */
export type EntryAdmission =
  | { kind: 'run'; skip?: string }
  | { kind: 'try'; handler: string }
  | { kind: 'wait'; handler: string; afterMs: number }

export interface WatchedHandler {
  readonly type: string
  readonly circuit: HandlerCircuit
  readonly budget: RetryBudget
  /** Entries that it threw on, or that ended its thread. */
  failures: number
  deaths: number
}

const RUN: EntryAdmission = { kind: 'run' }

/**
 * How the users' handlers fare, over all shards of the processor: whether each may be given entries, and when a failed one
 * may be tried again. The built-in handlers are not watched: they do not throw, and what ends their runs is the entries.
 *
 * While the circuit of one handler is open, entries for it alone wait; those for all handlers are run without it, and are
 * then kept for it alone. With two open, entries for all wait, too: an entry is kept for one handler or for all.
 */
export class HandlerWatch {
  readonly #handlers: readonly WatchedHandler[]
  readonly #hasOthers: boolean
  readonly #random: () => number
  readonly #onChange: (type: string, state: BreakerState) => void

  /**
   * @param specs all that are configured, in order
   * @param onChange told when a circuit has opened or closed
   */
  constructor(
    specs: readonly HandlerSpec[],
    options: HandlerCircuitOptions,
    onChange: (type: string, state: BreakerState) => void = () => {},
  ) {
    const users = specs.filter(({ moduleUrl }) => moduleUrl !== undefined)
    this.#handlers = users.map(({ type }) => ({
      type,
      circuit: new HandlerCircuit(options),
      budget: new RetryBudget({ ...BUDGET, nowMs: options.nowMs }),
      failures: 0,
      deaths: 0,
    }))
    this.#hasOthers = specs.length > 1
    this.#random = options.random
    this.#onChange = onChange
  }

  get handlers(): readonly WatchedHandler[] {
    return this.#handlers
  }

  /** What is wrong with them, as a sentence; `undefined` while every circuit is closed. */
  get problem(): string | undefined {
    const open = this.#handlers.filter(({ circuit }) => circuit.state !== 'closed').map(({ type }) => type)
    return open.length === 0 ? undefined : `${open.join(', ')}: every batch fails, so batches wait`
  }

  /** Cost: none while all circuits are closed. */
  admit(selector: string): EntryAdmission {
    const closed = this.#handlers.filter(({ type, circuit }) => isAsked(selector, type) && circuit.state !== 'closed')
    const waiting: WatchedHandler[] = []
    for (const handler of closed) {
      const admission = handler.circuit.admit()
      if (admission === 'try') return { kind: 'try', handler: handler.type }
      if (admission === 'wait') waiting.push(handler)
    }
    const [first, second] = waiting
    if (first === undefined) return RUN
    if (selector === '*' && second === undefined && this.#hasOthers) return { kind: 'run', skip: first.type }
    return { kind: 'wait', handler: first.type, afterMs: this.pauseMs(first.type) }
  }

  isPaused(type: string): boolean {
    return (this.#find(type)?.circuit.state ?? 'closed') !== 'closed'
  }

  /** When an entry that waits for a paused handler should come again: some time after the handler is tried next. */
  pauseMs(type: string): number {
    const waitMs = this.#find(type)?.circuit.waitMs ?? 0
    return waitMs + 500 + this.#random() * (waitMs + 2000)
  }

  /**
   * An entry was run to its end.
   *
   * @param attempts that failed before
   * @param skip handler that was left out
   * @param failed handler that threw, if one did
   */
  ran(entry: string, selector: string, attempts: number, skip: string | undefined, failed: string | undefined): void {
    for (const handler of this.#handlers) {
      if (!isAsked(selector, handler.type) || handler.type === skip) continue
      if (attempts === 0) handler.budget.firstTry()
      // Those behind the one that threw were not asked.
      if (handler.type === failed) {
        this.#failed(handler, entry, 1)
        return
      }
      this.#changing(handler, () => handler.circuit.succeeded())
    }
  }

  /** The entry ended the thread while the handler was at it. */
  died(type: string, entry: string): void {
    const handler = this.#find(type)
    if (handler === undefined) return
    handler.deaths++
    this.#failed(handler, entry, DEATH_WEIGHT)
  }

  /** See {@link HandlerCircuit.tryAbandoned}. */
  tryAbandoned(type: string): void {
    this.#find(type)?.circuit.tryAbandoned()
  }

  /** Whether it ever did what it should, since this program started. */
  hasSucceeded(type: string): boolean {
    return (this.#find(type)?.circuit.successes ?? 0) > 0
  }

  /**
   * How long to wait before an entry is given to the handler again: full jitter, within the handler's retry budget.
   *
   * @param type `undefined`: it is not known who failed
   * @param attempts that failed so far, from 1
   */
  retryAfterMs(type: string | undefined, attempts: number): number {
    const afterMs = backoffWaitMs(RETRY, attempts, this.#random())
    const budget = type === undefined ? undefined : this.#find(type)?.budget
    return budget === undefined ? afterMs : budget.plan(afterMs, this.#random())
  }

  #failed(handler: WatchedHandler, entry: string, weight: number): void {
    handler.failures++
    this.#changing(handler, () => handler.circuit.failed(entry, weight))
  }

  #changing({ type, circuit }: WatchedHandler, change: () => void): void {
    const before = circuit.state
    change()
    const { state } = circuit
    if (state !== before && (state === 'closed' || before === 'closed')) this.#onChange(type, state)
  }

  #find(type: string): WatchedHandler | undefined {
    return this.#handlers.find((handler) => handler.type === type)
  }
}

/** For a metric: 0 closed, 1 half-open, 2 open. */
export function circuitNumber(state: BreakerState): number {
  return { closed: 0, 'half-open': 1, open: 2 }[state]
}

function isAsked(selector: string, type: string): boolean {
  return selector === '*' || selector === type
}
