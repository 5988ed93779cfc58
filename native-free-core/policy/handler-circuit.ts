import type { Backoff } from './backoff.js'
import { type BreakerState, CircuitBreaker } from './circuit-breaker.js'

/** What failures in a row, with no success between them, weigh together when the circuit opens. */
const WEIGHT_TO_OPEN = 10
/** And of so many entries at least: one bad batch that fails again and again says nothing of the handler. */
const ENTRIES_TO_OPEN = 3
/** An entry that ended the handler's thread; one that the handler threw on weighs 1. */
export const DEATH_WEIGHT = 2
const OPEN: Backoff = { baseMs: 2000, maxMs: 60_000 }

export interface HandlerCircuitOptions {
  /** Monotonic milliseconds. */
  nowMs: () => number
  /** In [0, 1). */
  random: () => number
}

/**
 * `run`: the handler may have entries. `try`: it may have one, alone; the caller must report what became of it. `wait`:
 * none, see {@link HandlerCircuit.waitMs}.
 */
export type Admission = 'run' | 'try' | 'wait'

/**
 * The circuit breaker of one handler: it opens when different entries, one after the other, fail or end its thread, and
 * nothing succeeds in between. Then it is tried with one entry at a time, less and less often, until one succeeds.
 */
export class HandlerCircuit {
  readonly #breaker: CircuitBreaker
  readonly #failing = new Set<string>()
  #weight = 0
  #successes = 0
  #isTrying = false

  constructor({ nowMs, random }: HandlerCircuitOptions) {
    this.#breaker = new CircuitBreaker({ failuresToOpen: 1, backoff: OPEN, nowMs, random })
  }

  get state(): BreakerState {
    return this.#breaker.state
  }

  get openings(): number {
    return this.#breaker.openings
  }

  /** Entries that went well since the start. */
  get successes(): number {
    return this.#successes
  }

  /** Until it may be tried; 0 while it is closed. Milliseconds. */
  get waitMs(): number {
    return this.state === 'closed' ? 0 : this.#breaker.waitMs
  }

  /** Cost: none while closed. */
  admit(): Admission {
    if (this.state === 'closed') return 'run'
    if (this.#isTrying || !this.#breaker.mayTry()) return 'wait'
    this.#isTrying = true
    return 'try'
  }

  succeeded(): void {
    this.#successes++
    this.#failing.clear()
    this.#weight = 0
    if (this.state === 'half-open') this.#breaker.succeeded()
    if (this.state === 'closed') this.#isTrying = false
  }

  /**
   * @param entry names the entry, to tell one from another
   * @param weight 1, or {@link DEATH_WEIGHT}
   */
  failed(entry: string, weight = 1): void {
    if (this.state === 'half-open') {
      this.#isTrying = false
      this.#breaker.failed()
      return
    }
    // What was under way when it opened changes nothing any more.
    if (this.state === 'open') return
    this.#weight += weight
    if (this.#failing.size < ENTRIES_TO_OPEN) this.#failing.add(entry)
    if (this.#weight >= WEIGHT_TO_OPEN && this.#failing.size >= ENTRIES_TO_OPEN) this.#breaker.failed()
  }

  /** The try could not be made, for a reason that is not the handler's. */
  tryAbandoned(): void {
    this.#isTrying = false
  }
}
