import type { CommandRouter } from './command-router.js'
import { hashSlot } from './hash-slot.js'
import type { InboxKeys } from './keyspace.js'

/** The list keeps its newest; older ones go, counted as `dead-letters-trimmed`. */
export const MAX_DEAD_LETTERS = 10_000

/**
 * The original's dead-letter list where a cluster keeps it on another slot than the inbox: letters are written first and
 * the tasks removed after, so that one may be there twice after an error, and none is lost.
 */
export class DeadLetterList {
  readonly #router: CommandRouter
  readonly #keys: InboxKeys

  constructor(router: CommandRouter, keys: InboxKeys) {
    this.#router = router
    this.#keys = keys
  }

  /** Whether one script can reach both, and so write letters and remove tasks in one step. */
  get isWithInbox(): boolean {
    return !this.#router.isCluster || hashSlot(this.#keys.dead) === hashSlot(this.#keys.owner)
  }

  /** @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED */
  async append(letters: readonly string[]): Promise<void> {
    const { dead, counters } = this.#keys
    const surplus = await this.#router.call(dead, async (client) => {
      const surplus = (await client.rpush(dead, ...letters)) - MAX_DEAD_LETTERS
      if (surplus > 0) await client.lpop(dead, surplus)
      return surplus
    })
    if (surplus <= 0) return
    await this.#router.call(counters, (client) => client.hincrby(counters, 'dead-letters-trimmed', surplus))
  }
}
