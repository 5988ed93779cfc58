import type { Actor } from './actor.js'
import type { SimulatedEvent } from './event-queue.js'

/** Time, and what happens in it. The scheduler's is virtual; a model can also be run by that of the wall. */
export interface Timeline {
  /** Milliseconds from its start. */
  readonly nowMs: number
  /** @param actor the event is his and dies with him; `undefined`: it happens in any case */
  at(delayMs: number, actor: Actor | undefined, label: string, run: () => void): SimulatedEvent
  /** For the trace. */
  note(what: string): void
}
