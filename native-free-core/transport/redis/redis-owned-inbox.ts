import type { TelemetryError } from '../../errors/telemetry-error.js'
import { pause } from '../../time/pause.js'
import type { SettleResult } from '../batch-stream.js'
import type { InboxEntry, InboxSettlement, OwnedInbox } from '../task-inbox.js'
import { deadLetterJson } from './dead-letter-json.js'
import { type DeadLetterList, MAX_DEAD_LETTERS } from './dead-letter-list.js'
import type { InboxKeys } from './keyspace.js'
import { INBOX_RELEASE } from './scripts/inbox-release-v1-k1.js'
import { INBOX_SETTLE } from './scripts/inbox-settle-v1-k4.js'
import { INBOX_TAKE } from './scripts/inbox-take-v1-k4.js'
import { RENEW } from './scripts/renew-v1-k1.js'
import { MAX_BLOCK_MS, type ReaderLinks } from './shard-reader.js'
import { settledOrAborted } from './waiting.js'

const FENCED = -2
/** Where memory is full Redis refuses the blocking move, but not the script that takes: so the list is polled. */
const POLL_MS = 250

/**
 * The owned inbox. New tasks wake it by BLMOVE, which cannot lose one: what it moves is in a list that the next take
 * empties first, whoever owns the inbox then.
 */
export class RedisOwnedInbox implements OwnedInbox {
  readonly #links: ReaderLinks
  readonly #keys: InboxKeys
  readonly #letters: DeadLetterList
  readonly #token: number
  readonly #leaseMs: number
  readonly #onEnd: () => void
  /** Seq of the last task given out. */
  #cursor = 0
  #arrival: Promise<void> | undefined
  #isLost = false

  /** @param onEnd called once the inbox is lost, released or abandoned */
  constructor(
    links: ReaderLinks,
    keys: InboxKeys,
    letters: DeadLetterList,
    token: number,
    leaseMs: number,
    onEnd: () => void,
  ) {
    this.#links = links
    this.#keys = keys
    this.#letters = letters
    this.#token = token
    this.#leaseMs = leaseMs
    this.#onEnd = onEnd
  }

  async lease(maxEntries: number, waitMs: number, signal?: AbortSignal): Promise<InboxEntry[]> {
    const until = performance.now() + waitMs
    if (this.#isLost) await pause(waitMs, signal) // lost before: do not let the caller spin
    while (!this.#isLost && !signal?.aborted) {
      const entries = await this.#take(maxEntries)
      if (entries.length > 0 || performance.now() >= until) return entries
      await this.#waitForArrival(until, signal)
    }
    return []
  }

  async renew(): Promise<boolean> {
    if (this.#isLost) return false
    const renewed = await this.#links.commands.run(RENEW, [this.#keys.owner], [this.#token, this.#leaseMs])
    if (renewed !== 1) this.abandon()
    return !this.#isLost
  }

  async settle({ ack, deadLetter }: InboxSettlement): Promise<SettleResult> {
    if (this.#isLost) return { kind: 'fenced' }
    const acks = [...ack]
    let dead = await this.#deadLetters(deadLetter)
    const { owner, taken, counters } = this.#keys
    let deadList = this.#keys.dead
    if (!this.#letters.isWithInbox) {
      if (dead.length > 0) await this.#letters.append(dead.map(({ json }) => json))
      acks.push(...dead.map(({ id }) => id))
      dead = []
      deadList = this.#keys.noDead
    }
    const args = [this.#token, MAX_DEAD_LETTERS, acks.length, ...acks, ...dead.flatMap(({ id, json }) => [id, json])]
    const settled = await this.#links.commands.run(INBOX_SETTLE, [owner, taken, deadList, counters], args)
    if (settled === 1) return { kind: 'settled' }
    this.abandon()
    return { kind: 'fenced' }
  }

  async release(): Promise<void> {
    if (this.#isLost) return
    await this.#sendRelease()
    this.abandon()
  }

  /** Stops at once, and lets the store know when it can. */
  surrender(): void {
    this.abandon()
    this.#sendRelease().catch(() => {})
  }

  /** Stops reading; what was taken goes to the next owner. */
  abandon(): void {
    this.#isLost = true
    this.#links.reads.close()
    this.#onEnd()
  }

  async #sendRelease(): Promise<void> {
    await this.#links.commands.run(INBOX_RELEASE, [this.#keys.owner], [this.#token])
  }

  async #take(maxEntries: number): Promise<InboxEntry[]> {
    const { owner, taken, arrived, list } = this.#keys
    const cursor = this.#cursor
    const reply = await this.#links.commands.run(
      INBOX_TAKE,
      [owner, taken, arrived, list],
      [this.#token, cursor, maxEntries],
    )
    if (reply === FENCED) {
      this.abandon()
      return []
    }
    // Another lease, called meanwhile, may have been given the same tasks.
    if (this.#isLost) return []
    const flat = reply as (number | Buffer)[]
    const entries: InboxEntry[] = []
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const seq = flat[i] as number
      if (seq > this.#cursor) entries.push({ id: String(seq), seq, body: Uint8Array.from(flat[i + 1] as Buffer) })
    }
    this.#cursor = Math.max(this.#cursor, entries.at(-1)?.seq ?? 0)
    return entries
  }

  async #waitForArrival(until: number, signal: AbortSignal | undefined): Promise<void> {
    const waitMs = Math.max(1, until - performance.now())
    this.#arrival ??= this.#arrive(Math.min(waitMs, MAX_BLOCK_MS)).finally(() => {
      this.#arrival = undefined
    })
    await settledOrAborted(this.#arrival, signal, waitMs)
  }

  /** Moves one task aside as soon as there is one, or ends with nothing. */
  async #arrive(blockMs: number): Promise<void> {
    const move = [this.#keys.list, this.#keys.arrived, 'LEFT', 'RIGHT', blockMs / 1000]
    try {
      await this.#links.reads.call((client) => client.callBuffer('BLMOVE', move))
    } catch (error) {
      const { code, details } = error as TelemetryError
      if (this.#isLost) return
      if (code === 'TLM_STREAM_MISCONFIGURED') throw error
      // The next take, on the other connection, tells whether Redis can be reached.
      if (details.trouble === 'full') await pause(POLL_MS, undefined)
    }
  }

  /** Those that are to be kept as dead letters and are still there. */
  async #deadLetters(letters: InboxSettlement['deadLetter']): Promise<{ id: string; json: string }[]> {
    if (letters.length === 0) return []
    const { taken } = this.#keys
    const found = await this.#links.commands.call((client) =>
      Promise.all(letters.map(({ id }) => client.callBuffer('XRANGE', [taken, `${id}-0`, `${id}-0`]))),
    )
    return letters.flatMap(({ id, class: kind, message }, i) => {
      const [entry] = found[i] as [id: Buffer, fields: Buffer[]][]
      if (entry === undefined) return []
      return [{ id, json: deadLetterJson(kind, message, Number(entry[1][1]), entry[1][3]) }]
    })
  }
}
