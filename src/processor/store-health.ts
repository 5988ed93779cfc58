import { messageOf } from '#core/errors/telemetry-error'
import type { RateLimitedLog } from '../host/rate-limited-log.js'

/** Whether the store answered when it was last asked, by whichever part of the processor. */
export class StoreHealth {
  readonly #warnings: RateLimitedLog
  #problem: string | undefined = 'the store was not reached yet'

  constructor(warnings: RateLimitedLog) {
    this.#warnings = warnings
  }

  get isUp(): boolean {
    return this.#problem === undefined
  }

  /** What the store, or the way to it, said last; `undefined` while it answers. */
  get problem(): string | undefined {
    return this.#problem
  }

  answered(): void {
    this.#problem = undefined
  }

  /** @param call what was asked, of a small fixed set */
  failed(call: string, error: unknown, shard?: number): void {
    this.#problem = messageOf(error)
    this.#warnings.warn(`store-${call}`, { call, shard }, `The store failed: ${this.#problem}`)
  }
}
