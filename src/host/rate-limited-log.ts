import type { Clock } from '#core/time/clock'
import type { Logger } from './logger.js'

/** Logs the first of each kind at once and then at most one per interval, with the number left out. */
export class RateLimitedLog {
  readonly #log: Logger
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #kinds = new Map<string, { nextAtMs: number; suppressed: number }>()

  constructor(log: Logger, clock: Clock, intervalMs = 10_000) {
    this.#log = log
    this.#clock = clock
    this.#intervalMs = intervalMs
  }

  /** @param kind of a small fixed set; decides what counts as the same */
  warn(kind: string, fields: Record<string, unknown>, message: string): void {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#kinds.get(kind)
    if (known && nowMs < known.nextAtMs) {
      known.suppressed++
      return
    }
    this.#log.warn({ ...fields, suppressed: known?.suppressed ?? 0 }, message)
    this.#kinds.set(kind, { nextAtMs: nowMs + this.#intervalMs, suppressed: 0 })
  }
}
