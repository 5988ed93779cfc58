import { pause } from '#core/time/pause'
import type { LeasedEntry, OwnedShard } from '#core/transport/batch-stream'
import type { StoreHealth } from '../store-health.js'
import type { InFlightBudget } from './in-flight-budget.js'

/** Most entries of one lease, which is what one run takes. */
const MAX_ENTRIES = 256
/** How long one lease waits while other shards could use its reservation. */
const SCARCE_WAIT_MS = 20
const RETRY_MS = 100

/** Leases entries of one shard within the processor's budget. */
export class ShardLeaser {
  readonly #owned: OwnedShard
  readonly #budget: InFlightBudget
  readonly #health: StoreHealth
  readonly #signal: AbortSignal

  /** @param signal ends waiting */
  constructor(owned: OwnedShard, budget: InFlightBudget, health: StoreHealth, signal: AbortSignal) {
    this.#owned = owned
    this.#budget = budget
    this.#health = health
    this.#signal = signal
  }

  /**
   * The next entries; they stay reserved in the budget until the caller frees them. `[]` when none came in time, the
   * budget has nothing left, or the store failed. Never throws.
   *
   * @param held entries of the shard that are leased already
   * @param maxBytes of their bodies; the first may be larger
   */
  async lease(held: number, maxBytes: number, waitMs: number): Promise<LeasedEntry[]> {
    const wanted = Math.min(MAX_ENTRIES, this.#budget.share - held)
    const reserved = this.#budget.reserve(wanted) || (await this.#budget.room(wanted, waitMs, this.#signal))
    if (reserved === 0) return []
    let leased: LeasedEntry[] = []
    try {
      const limits = { maxEntries: reserved, maxBytes }
      const boundedWaitMs = this.#budget.isScarce ? Math.min(SCARCE_WAIT_MS, waitMs) : waitMs
      leased = await this.#owned.lease(limits, boundedWaitMs, this.#signal)
      this.#health.answered()
    } catch (error) {
      this.#health.failed('lease', error, this.#owned.shard)
      await pause(RETRY_MS, this.#signal)
    }
    this.#budget.free(reserved - leased.length)
    return leased
  }
}
