import type { TelemetryError } from '../../errors/telemetry-error.js'
import type { Priority } from '../../model/priority.js'
import { CarriedEntries, type LeaseLimits } from './carried-entries.js'
import type { ShardKeys } from './keyspace.js'
import type { CommandLink, RedisLink } from './redis-link.js'
import { REGROUP } from './scripts/regroup-v1-k5.js'
import { deliveryKey, type ReadEntry, type ReadReply, readEntry } from './stream-entry.js'
import { settledOrAborted } from './waiting.js'

/** One read waits no longer; a lease that waits longer reads again. Short, so that dead connections are found soon. */
export const MAX_BLOCK_MS = 1000
/** Ownerships are told apart by their group: each has this one consumer. */
const CONSUMER = 'owner'
/** Assumed size of a body before the first is seen. */
const UNKNOWN_BODY_BYTES = 8192
/** A reply that is on its way gets this long when a lease meets a read that another one began. */
const REPLY_GRACE_MS = 10

export interface ReaderLinks {
  commands: CommandLink
  /** The shard's own: its reads block. */
  reads: RedisLink
}

/**
 * Reads the entries of one ownership through its consumer group: each priority in order, between them by weight.
 *
 * Redis counts entries per stream and knows no bytes, so a read may bring more than a lease asks for: the rest is
 * carried to the next lease. A read whose reply was lost has moved the group on; so before the next read the group is
 * made anew behind the last entries that were handed out.
 */
export class ShardReader {
  readonly #links: ReaderLinks
  readonly #keys: ShardKeys
  readonly #token: number
  /** How often former owners had an entry, by {@link deliveryKey}. */
  readonly #formerDeliveries: ReadonlyMap<string, number>
  readonly #onRegrouped: () => void
  readonly #carried = new CarriedEntries()
  #groups = 0
  #group: string
  #mustRegroup = false
  #reading: Promise<void> | undefined
  #bodyBytes = UNKNOWN_BODY_BYTES
  #isLost = false

  /** @param onRegrouped what was handed out before is now counted in the `deliveries` hash */
  constructor(
    links: ReaderLinks,
    keys: ShardKeys,
    token: number,
    formerDeliveries: ReadonlyMap<string, number>,
    onRegrouped: () => void,
  ) {
    this.#links = links
    this.#keys = keys
    this.#token = token
    this.#formerDeliveries = formerDeliveries
    this.#onRegrouped = onRegrouped
    this.#group = `g${token}.0`
  }

  get group(): string {
    return this.#group
  }

  /** The shard has another owner, or none. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Ends all reading; what was read ahead is dropped: it belongs to the next owner. */
  lose(): void {
    this.#isLost = true
    this.#carried.clear()
    this.#links.reads.close()
  }

  take(limits: LeaseLimits): ReadEntry[] {
    return this.#carried.take(limits)
  }

  /**
   * Reads what would come out with the next {@link take}; waits for the first entry when there is none. Returns early
   * when the signal aborts: what the read brings then is carried.
   *
   * @param until `performance.now()` at which to stop waiting
   * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED
   */
  async fill(limits: LeaseLimits, until: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#reading !== undefined) {
      const graceMs = Math.max(until - performance.now(), REPLY_GRACE_MS)
      return settledOrAborted(this.#reading, signal, graceMs)
    }
    const wanted = this.#carried.wanted(limits.maxEntries)
    if (wanted.length === 0) return
    const count = Math.max(1, Math.min(limits.maxEntries, Math.ceil(limits.maxBytes / this.#bodyBytes)))
    const reading = this.#read(wanted, count, this.#carried.isEmpty ? until : 0).finally(() => {
      this.#reading = undefined
    })
    this.#reading = reading
    await settledOrAborted(reading, signal)
  }

  /** A second try follows at once: often the connection or the group is gone, and a new one helps. */
  async #read(wanted: readonly Priority[], count: number, until: number, isSecondTry = false): Promise<void> {
    if (this.#mustRegroup) await this.#regroup()
    if (this.#isLost) return
    const blockMs = Math.floor(Math.min(until - performance.now(), MAX_BLOCK_MS))
    const args = ['GROUP', this.#group, CONSUMER, 'COUNT', count, ...(blockMs > 0 ? ['BLOCK', blockMs] : []), 'STREAMS']
    const streams = wanted.map((priority) => this.#keys.streams[priority])
    const command = [...args, ...streams, ...streams.map(() => '>')]
    let reply: ReadReply
    try {
      reply = (await this.#links.reads.call((client) => client.callBuffer('XREADGROUP', command))) as ReadReply
    } catch (error) {
      if (this.#isLost) return
      // Entries may have been on their way, of which only the group knows.
      this.#mustRegroup = true
      if (isSecondTry || (error as TelemetryError).code === 'TLM_STREAM_MISCONFIGURED') throw error
      return this.#read(wanted, count, until, true)
    }
    if (!this.#isLost && reply !== null) this.#receive(reply)
  }

  #receive(reply: NonNullable<ReadReply>): void {
    let entries = 0
    let bytes = 0
    for (const [key, read] of reply) {
      const priority = this.#keys.streams.indexOf(key.toString()) as Priority
      for (const [id, fields] of read) {
        const streamId = id.toString('latin1')
        const former = this.#formerDeliveries.get(deliveryKey(priority, streamId)) ?? 0
        const entry = readEntry(priority, streamId, fields, former)
        this.#carried.push(entry)
        entries++
        bytes += entry.entry.body.byteLength
      }
    }
    if (entries > 0) this.#bodyBytes = Math.max(1, (this.#bodyBytes + bytes / entries) / 2)
  }

  async #regroup(): Promise<void> {
    this.#carried.clear()
    const number = ++this.#groups
    const { owner, streams, deliveries } = this.#keys
    const args = [this.#token, number, ...this.#carried.lastHandedOut]
    const done = await this.#links.commands.run(REGROUP, [owner, ...streams, deliveries], args)
    if (done === 0) this.lose()
    if (this.#isLost) return
    this.#group = `g${this.#token}.${number}`
    this.#mustRegroup = false
    this.#onRegrouped()
  }
}
