import type { SimulatedEvent } from './event-queue.js'
import type { Scheduler } from './scheduler.js'
import type { SeededRandom } from './seeded-random.js'

/** Wall time at virtual time 0: 2026-01-01T00:00:00Z. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)
/** `setImmediate` and a timer of 0 come after what is under way. */
const TURN_MS = 0.01

/** A timer as Node has it, as far as anybody here asks. */
class VirtualTimer {
  readonly event: SimulatedEvent

  constructor(event: SimulatedEvent) {
    this.event = event
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }
}

/** What the replaced functions act on; `undefined`: they do as always. */
let world: { scheduler: Scheduler; random: SeededRandom } | undefined

type Callback = (...args: unknown[]) => void

/**
 * Puts the time and the chance of this process under a scheduler: `setTimeout`, `setImmediate`, their clearing,
 * `performance.now`, `Date.now` and `Math.random`. So product code runs as it is, and what it begins belongs to the actor
 * whose turn it is. Modules that took `node:timers` functions for themselves escape: the product has none.
 *
 * @returns puts the world back
 */
export function enterVirtualTime(scheduler: Scheduler, random: SeededRandom): () => void {
  if (world !== undefined) throw new Error('One simulation at a time.')
  world = { scheduler, random }
  const real = { setTimeout, clearTimeout, setImmediate, clearImmediate, setInterval }
  const { now: realDateNow } = Date
  const { random: realRandom } = Math
  const begin = (delayMs: number, label: string, callback: Callback, args: unknown[]) =>
    new VirtualTimer(scheduler.at(delayMs, scheduler.current, label, () => callback(...args)))
  const end = (timer: unknown) => {
    if (timer instanceof VirtualTimer) timer.event.isCancelled = true
    else real.clearTimeout(timer as NodeJS.Timeout)
  }
  const replaced = {
    setTimeout: (callback: Callback, ms = 0, ...args: unknown[]) =>
      begin(ms >= TURN_MS ? ms : TURN_MS, 'timer', callback, args),
    clearTimeout: end,
    setImmediate: (callback: Callback, ...args: unknown[]) => begin(TURN_MS, 'turn', callback, args),
    clearImmediate: end,
    setInterval: () => {
      throw new Error('Nothing that is simulated repeats by setInterval.')
    },
  }
  Object.assign(globalThis, replaced)
  Object.defineProperty(performance, 'now', { value: () => scheduler.nowMs, configurable: true })
  Date.now = () => EPOCH_MS + Math.floor(scheduler.nowMs)
  Math.random = () => random.next()
  return () => {
    world = undefined
    Object.assign(globalThis, real)
    Reflect.deleteProperty(performance, 'now')
    Date.now = realDateNow
    Math.random = realRandom
  }
}
