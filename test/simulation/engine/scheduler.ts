import type { Actor } from './actor.js'
import { EventQueue, type SimulatedEvent } from './event-queue.js'
import type { SeededRandom } from './seeded-random.js'
import type { Timeline } from './timeline.js'
import type { Trace } from './trace.js'

/** The real one: `virtual-globals` replaces the global. */
const { setImmediate: nextTurn } = globalThis
/** Events per turn of the real event loop; microtasks have their turn after each all the same. */
const EVENTS_PER_TURN = 128
/** After a stop, what was due meanwhile happens within this time: timers in order, replies among them as they come. */
const WAKING_MS = 0.5

/**
 * Virtual time and everything that happens in it. One event at a time: it runs, then all microtasks that follow from it,
 * then the next. So what code of an actor does between two events belongs to the actor of the former, {@link current}.
 */
export class Scheduler implements Timeline {
  readonly trace: Trace
  readonly #queue = new EventQueue()
  readonly #random: SeededRandom
  #nowMs = 0
  #order = 0
  #current: Actor | undefined
  #events = 0

  /** @param random decides where replies come in after a stop */
  constructor(trace: Trace, random: SeededRandom) {
    this.trace = trace
    this.#random = random
  }

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Whose turn it is. */
  get current(): Actor | undefined {
    return this.#current
  }

  /** Events so far. */
  get events(): number {
    return this.#events
  }

  /** @param actor the event is his and dies with him; `undefined`: it happens in any case */
  at(delayMs: number, actor: Actor | undefined, label: string, run: () => void): SimulatedEvent {
    const atMs = this.#nowMs + Math.max(0, delayMs)
    const event = { atMs, order: this.#order++, actor, label, run, isCancelled: false }
    this.#queue.push(event)
    return event
  }

  note(what: string): void {
    this.trace.note(this.#nowMs, this.#current?.name ?? '', what)
  }

  /** Stops the actor for a time; what is due meanwhile is late. */
  stop(actor: Actor, forMs: number): void {
    actor.stoppedUntilMs = Math.max(actor.stoppedUntilMs, this.#nowMs + forMs)
  }

  /**
   * Runs events until told to end.
   *
   * @param isOver asked before each event
   * @throws what an event throws
   */
  run(isOver: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = 0
      let hasEnded = false
      const turn = () => {
        if (!hasEnded) {
          try {
            if (isOver() || !this.#next()) {
              hasEnded = true
              resolve()
            }
          } catch (error) {
            hasEnded = true
            reject(error)
          }
        }
        if (--left === 0 && !hasEnded) fill()
      }
      const fill = () => {
        left = EVENTS_PER_TURN
        for (let n = 0; n < EVENTS_PER_TURN; n++) nextTurn(turn)
      }
      fill()
    })
  }

  /** @returns `false` when nothing is left to happen */
  #next(): boolean {
    for (;;) {
      const event = this.#queue.pop()
      if (event === undefined) return false
      const { actor, label } = event
      if (event.isCancelled || actor?.isAlive === false) continue
      if (actor !== undefined && actor.stoppedUntilMs > event.atMs) {
        this.#putOff(event, actor.stoppedUntilMs)
        continue
      }
      this.#nowMs = event.atMs
      this.#current = actor
      this.#events++
      this.trace.note(event.atMs, actor?.name ?? '', label)
      event.run()
      return true
    }
  }

  #putOff(event: SimulatedEvent, untilMs: number): void {
    const isTimer = event.label === 'timer'
    event.atMs = untilMs + (isTimer ? 0 : this.#random.next() * WAKING_MS)
    event.order = this.#order++
    this.#queue.push(event)
  }
}
