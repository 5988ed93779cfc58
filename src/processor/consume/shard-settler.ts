import { type Backoff, backoffWaitMs } from '#core/policy/backoff'
import { pause } from '#core/time/pause'
import type { OwnedShard, Settlement } from '#core/transport/batch-stream'
import type { StoreHealth } from '../store-health.js'

const RETRY: Backoff = { baseMs: 100, maxMs: 5000 }

/**
 * Settlements of one shard, one after the other in the order they were asked for, each repeated while the store is away:
 * settling the same again changes nothing.
 */
export class ShardSettler {
  readonly #owned: OwnedShard
  readonly #health: StoreHealth
  readonly #signal: AbortSignal
  readonly #onFenced: () => void
  #last: Promise<void> = Promise.resolve()

  /** @param signal ends all attempts */
  constructor(owned: OwnedShard, health: StoreHealth, signal: AbortSignal, onFenced: () => void) {
    this.#owned = owned
    this.#health = health
    this.#signal = signal
    this.#onFenced = onFenced
  }

  /** Resolves when everything asked for so far is settled or given up. Never rejects. */
  get done(): Promise<void> {
    return this.#last
  }

  /**
   * @param ready resolves with whether the settlement may be made, when it may be made
   * @param onSettled called at once when the store has it
   */
  settle(settlement: Settlement, ready: Promise<boolean>, onSettled: () => void): Promise<void> {
    this.#last = Promise.all([ready, this.#last]).then(async ([mayBeMade]) => {
      if (mayBeMade && (await this.#isSettled(settlement))) onSettled()
    })
    return this.#last
  }

  async #isSettled(settlement: Settlement): Promise<boolean> {
    for (let failures = 1; !this.#signal.aborted; failures++) {
      try {
        const { kind } = await this.#owned.settle(settlement)
        this.#health.answered()
        if (kind === 'fenced') this.#onFenced()
        return kind === 'settled'
      } catch (error) {
        this.#health.failed('settle', error, this.#owned.shard)
        await pause(backoffWaitMs(RETRY, failures, Math.random()), this.#signal)
      }
    }
    return false
  }
}
