import { pause } from '../../time/pause.js'
import type { LeasedEntry, OwnedShard, Settlement, SettleResult } from '../batch-stream.js'
import type { DeadLetterLimits } from '../dead-letters.js'
import { type LeaseLimits, type UnsettledEntry, unsettledEntry } from './carried-entries.js'
import { DelayedPromoter } from './delayed-promoter.js'
import type { ShardKeys } from './keyspace.js'
import { runScript } from './redis-script.js'
import { PROMOTE } from './scripts/promote-v1-k6.js'
import { RELEASE } from './scripts/release-v2-k5.js'
import { RENEW } from './scripts/renew-v1-k1.js'
import { SETTLE } from './scripts/settle-v4-k12.js'
import { settleArguments } from './settle-arguments.js'
import { settlementSteps } from './settlement-steps.js'
import { type ReaderLinks, ShardReader } from './shard-reader.js'
import { deliveryKey } from './stream-entry.js'

const FENCED = -2
const FENCED_RESULT: SettleResult = { kind: 'fenced' }
/** One step of putting delayed entries back; more follow at once when more are due. */
const PROMOTED_AT_ONCE = 64

/** What the `own` script says to the new owner. */
export interface Ownership {
  shard: number
  token: number
  leaseMs: number
  dueInMs: number
  formerDeliveries: Map<string, number>
  deadLetters: DeadLetterLimits
}

/** One owned shard. Once it has learned that the shard is lost it gives nothing out and changes nothing. */
export class RedisShard implements OwnedShard {
  readonly shard: number
  readonly token: number
  readonly #leaseMs: number
  readonly #links: ReaderLinks
  readonly #keys: ShardKeys
  readonly #reader: ShardReader
  readonly #promoter: DelayedPromoter
  readonly #formerDeliveries: Map<string, number>
  readonly #deadLetters: DeadLetterLimits
  readonly #onEnd: () => void
  /** Handed out and not settled, by entry id. */
  readonly #unsettled = new Map<string, UnsettledEntry>()
  #settlements = 0
  #settling: Promise<unknown> = Promise.resolve()

  /** @param onEnd called once the shard is lost, released or abandoned */
  constructor(links: ReaderLinks, keys: ShardKeys, ownership: Ownership, onEnd: () => void) {
    this.shard = ownership.shard
    this.token = ownership.token
    this.#leaseMs = ownership.leaseMs
    this.#links = links
    this.#keys = keys
    this.#formerDeliveries = ownership.formerDeliveries
    this.#deadLetters = ownership.deadLetters
    this.#onEnd = onEnd
    this.#reader = new ShardReader(links, keys, this.token, this.#formerDeliveries, () => {
      for (const entry of this.#unsettled.values()) entry.isCounted = true
    })
    this.#promoter = new DelayedPromoter(() => this.#promote())
    this.#promoter.expect(ownership.dueInMs)
  }

  async loadState(): Promise<Map<string, Uint8Array>> {
    const { state: key } = this.#keys
    const flat = (await this.#links.commands.call((client) => client.callBuffer('HGETALL', [key]))) as Buffer[]
    const state = new Map<string, Uint8Array>()
    for (let i = 0; i + 1 < flat.length; i += 2) state.set(flat[i].toString(), Uint8Array.from(flat[i + 1]))
    return state
  }

  async lease(limits: LeaseLimits, waitMs: number, signal?: AbortSignal): Promise<LeasedEntry[]> {
    const until = performance.now() + waitMs
    const wasLost = this.#reader.isLost
    await this.#promoter.promoteDue()
    for (;;) {
      if (this.#reader.isLost) {
        // Found out just now: say so at once. Known before: do not let the caller spin.
        if (wasLost) await pause(until - performance.now(), signal)
        return []
      }
      if (signal?.aborted) return []
      await this.#reader.fill(limits, until, signal)
      const taken = this.#reader.take(limits)
      for (const read of taken) this.#unsettled.set(read.entry.id, unsettledEntry(read))
      if (taken.length > 0) return taken.map(({ entry }) => entry)
      if (performance.now() >= until) return []
    }
  }

  async renew(): Promise<boolean> {
    if (this.#reader.isLost) return false
    const renewed = await this.#links.commands.run(RENEW, [this.#keys.owner], [this.token, this.#leaseMs])
    if (renewed !== 1) this.#lose()
    return !this.#reader.isLost
  }

  /** Settlements apply one after the other, in the order of the calls. */
  settle(settlement: Settlement): Promise<SettleResult> {
    const settled = this.#settling.then(() => this.#settleInSteps(settlement))
    this.#settling = settled.catch(() => {})
    return settled
  }

  async release(): Promise<void> {
    await this.#settling
    if (this.#reader.isLost) return
    await this.#sendRelease()
    this.#lose()
  }

  /** Stops at once, and lets the store know when it can: whoever owns the shard next begins from what was saved. */
  surrender(): void {
    this.#lose()
    this.#sendRelease().catch(() => {})
  }

  /** Stops reading and promoting; for the end of the stream that this shard belongs to. */
  abandon(): void {
    this.#lose()
  }

  async #sendRelease(): Promise<void> {
    const uncounted = [...this.#unsettled.values()].filter(({ isCounted }) => !isCounted)
    const delivered = uncounted.map(({ priority, streamId }) => deliveryKey(priority, streamId))
    const { owner, streams, deliveries } = this.#keys
    await this.#links.commands.run(RELEASE, [owner, ...streams, deliveries], [this.token, ...delivered])
  }

  async #settleInSteps(settlement: Settlement): Promise<SettleResult> {
    for (const step of settlementSteps(settlement, this.#unsettled)) {
      const result = await this.#settle(step)
      if (result.kind === 'fenced') return result
    }
    return { kind: 'settled' }
  }

  async #settle(settlement: Settlement): Promise<SettleResult> {
    if (this.#reader.isLost) return FENCED_RESULT
    const { args, settledIds } = settleArguments(settlement, this.#unsettled)
    const { owner, streams, delayed, held, dead, deliveries, counters, state, deadBodies, deadGroups } = this.#keys
    const keys = [owner, ...streams, delayed, held, dead, deliveries, counters, state, deadBodies, deadGroups]
    const { maxEntries, maxBytes, maxAgeMs } = this.#deadLetters
    const head = [this.token, ++this.#settlements, this.#reader.group, maxEntries, maxBytes, maxAgeMs]
    const dueInMs = (await this.#links.commands.call((client) =>
      // A new connection may just have shown that the shard has to be given up.
      this.#reader.isLost ? Promise.resolve(FENCED) : runScript(client, SETTLE, keys, [...head, ...args]),
    )) as number
    if (dueInMs === FENCED) {
      this.#lose()
      return FENCED_RESULT
    }
    for (const id of settledIds) {
      const { priority, streamId } = this.#unsettled.get(id)!
      this.#formerDeliveries.delete(deliveryKey(priority, streamId))
      this.#unsettled.delete(id)
    }
    this.#promoter.expect(dueInMs)
    return { kind: 'settled' }
  }

  async #promote(): Promise<number> {
    const { owner, streams, delayed, held } = this.#keys
    const keys = [owner, ...streams, delayed, held]
    const dueInMs = (await this.#links.commands.run(PROMOTE, keys, [this.token, PROMOTED_AT_ONCE])) as number
    if (dueInMs === FENCED) this.#lose()
    return dueInMs
  }

  #lose(): void {
    this.#reader.lose()
    this.#promoter.stop()
    this.#onEnd()
  }
}
