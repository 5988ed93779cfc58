import { deviceMark } from '../dead-letters/device-mark.js'
import { mergeGroups } from '../dead-letters/group-merge.js'
import {
  type FindFirst,
  pageOverShards,
  type ScanShard,
  type ScanStart,
  type ShardScan,
} from '../dead-letters/page-merge.js'
import { type GlobalPosition, parseId } from '../dead-letters/positions.js'
import type {
  DeadLetter,
  DeadLetterBox,
  DeadLetterFilter,
  DeadLetterGroup,
  DeadLetterLimits,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterTotals,
  PageOrder,
  ReplayOutcome,
} from '../dead-letters.js'
import { UNGROUPED } from '../dead-letters.js'
import type { CommandRouter } from './command-router.js'
import { positionOf, readDeadLetter, readGroup, streamIdOf } from './dead-letter-entry.js'
import { queueKeys, type ShardKeys } from './keyspace.js'
import { DEAD_PURGE } from './scripts/dead-purge-v1-k4.js'
import { DEAD_REPLAY } from './scripts/dead-replay-v1-k7.js'
import { DEAD_TRIM } from './scripts/dead-trim-v1-k4.js'
import { SCAN } from './scripts/scan-v2-k2.js'

/** Letters in one script call: Redis serves nobody else meanwhile. */
const REPLAYED_AT_ONCE = 25
const PURGED_AT_ONCE = 50
const TRIMMED_AT_ONCE = 50
const TRIMS_PER_CALL = 100
/** Groups in one reply. */
const GROUPS_AT_ONCE = 200
const OUTCOMES: readonly ReplayOutcome[] = ['gone', 'replayed', 'worn-out', 'bodiless']

type ScanReply = [isDone: number, lastId: Buffer, ...entries: (Buffer | Buffer[])[]]

/** Dead letters on Redis, over one connection to each server. No script holds Redis up for more than some milliseconds. */
export class RedisDeadLetterBox implements DeadLetterBox {
  readonly shards: number
  readonly #commands: CommandRouter
  readonly #notes: string
  readonly #keys: readonly ShardKeys[]
  readonly #limits: DeadLetterLimits

  /** @param keys of all shards */
  constructor(commands: CommandRouter, keys: readonly ShardKeys[], queueName: string, limits: DeadLetterLimits) {
    this.shards = keys.length
    this.#commands = commands
    this.#notes = queueKeys(queueName).deadNotes
    this.#keys = keys
    this.#limits = limits
  }

  page(query: DeadLetterQuery): Promise<DeadLetterPage> {
    const scan: ScanShard = (shard, start, step) => this.#scan(shard, start, step)
    const findFirst: FindFirst = async (shard, start, { filter, order }) => {
      const { found } = await this.#read({ shard, ...stretchOf(start, filter, order), wanted: 1 })
      return found[0] && parseId(found[0].id)
    }
    return pageOverShards(this.shards, query, isSparse(query.filter) ? { scan, findFirst } : { scan })
  }

  async get(id: string): Promise<{ letter: DeadLetter; body: Uint8Array } | undefined> {
    const at = this.#find(id)
    if (at === undefined) return undefined
    const { dead, deadBodies } = this.#keys[at.shard]
    const streamId = streamIdOf(at)
    const [found, kept] = await this.#commands.call(dead, (client) =>
      Promise.all([client.xrangeBuffer(dead, streamId, streamId), client.hgetBuffer(deadBodies, streamId)]),
    )
    if (found.length === 0) return undefined
    const fields = found[0][1]
    const inline = fields.findIndex((name, i) => i % 2 === 0 && name.toString() === 'b')
    const body = kept ?? (inline < 0 ? Buffer.alloc(0) : fields[inline + 1])
    return { letter: readDeadLetter(at.shard, streamId, fields), body: Uint8Array.from(body) }
  }

  async groups(limit: number): Promise<DeadLetterGroup[]> {
    const groups: DeadLetterGroup[] = []
    let entries = 0
    for (const { dead, deadGroups } of this.#keys) {
      entries += await this.#commands.call(dead, (client) => client.xlen(dead))
      for (let cursor = '0'; ; ) {
        const [next, rows] = await this.#commands.call(deadGroups, (client) =>
          client.hscanBuffer(deadGroups, cursor, 'COUNT', GROUPS_AT_ONCE),
        )
        for (let i = 0; i + 1 < rows.length; i += 2) {
          const group = readGroup(rows[i].toString(), rows[i + 1])
          if (group !== undefined) groups.push(group)
        }
        cursor = next.toString()
        if (cursor === '0') break
      }
    }
    const grouped = groups.reduce((sum, { count }) => sum + count, 0)
    if (entries > grouped) groups.push(ungrouped(entries - grouped))
    return mergeGroups(groups, limit)
  }

  async totals(): Promise<DeadLetterTotals> {
    const dropped = { entries: 0, bytes: 0, age: 0 }
    const totals = { entries: 0, bytes: 0, replayed: 0, purged: 0, dropped }
    const fields = ['bytes', 'replayed', 'purged', 'dropped-entries', 'dropped-bytes', 'dropped-age']
    for (const { dead, counters } of this.#keys) {
      const [entries, counts] = await this.#commands.call(dead, (client) =>
        Promise.all([client.xlen(dead), client.hmget(counters, ...fields.map((field) => `dead-${field}`))]),
      )
      const [bytes, replayed, purged, ...drops] = counts.map(Number)
      totals.entries += entries
      totals.bytes += bytes
      totals.replayed += replayed
      totals.purged += purged
      dropped.entries += drops[0]
      dropped.bytes += drops[1]
      dropped.age += drops[2]
    }
    return totals
  }

  async replay(ids: readonly string[], maxGeneration: number | undefined): Promise<ReplayOutcome[]> {
    const outcomes = new Map<string, ReplayOutcome>()
    for (const [shard, streamIds] of this.#byShard(ids)) {
      const { streams, dead, deadBodies, deadGroups, counters } = this.#keys[shard]
      const keys = [...streams, dead, deadBodies, deadGroups, counters]
      for (let next = 0; next < streamIds.length; ) {
        const args = [maxGeneration ?? -1, ...streamIds.slice(next, next + REPLAYED_AT_ONCE)]
        const replies = (await this.#commands.run(DEAD_REPLAY, keys, args)) as number[]
        for (const reply of replies) outcomes.set(`${shard} ${streamIds[next++]}`, OUTCOMES[reply])
      }
    }
    const seen = new Set<string>()
    return ids.map((id) => {
      const at = this.#find(id)
      const name = at && `${at.shard} ${streamIdOf(at)}`
      if (name === undefined || seen.has(name)) return 'gone'
      seen.add(name)
      return outcomes.get(name) ?? 'gone'
    })
  }

  async purge(ids: readonly string[]): Promise<number> {
    let purged = 0
    for (const [shard, streamIds] of this.#byShard(ids)) {
      const { dead, deadBodies, deadGroups, counters } = this.#keys[shard]
      for (const some of chunks(streamIds, PURGED_AT_ONCE)) {
        purged += (await this.#commands.run(DEAD_PURGE, [dead, deadBodies, deadGroups, counters], some)) as number
      }
    }
    return purged
  }

  async trim(): Promise<void> {
    const { maxEntries, maxBytes, maxAgeMs } = this.#limits
    const args = [maxEntries, maxBytes, maxAgeMs, TRIMMED_AT_ONCE]
    for (const { dead, deadBodies, deadGroups, counters } of this.#keys) {
      for (let calls = 0; calls < TRIMS_PER_CALL; calls++) {
        const dropped = await this.#commands.run(DEAD_TRIM, [dead, deadBodies, deadGroups, counters], args)
        if ((dropped as number) < TRIMMED_AT_ONCE) break
      }
    }
  }

  async readNotes(): Promise<Map<string, string>> {
    return new Map(Object.entries(await this.#commands.call(this.#notes, (client) => client.hgetall(this.#notes))))
  }

  async writeNote(name: string, text: string | undefined): Promise<void> {
    await this.#commands.call(this.#notes, (client) =>
      text === undefined ? client.hdel(this.#notes, name) : client.hset(this.#notes, name, text),
    )
  }

  async close(): Promise<void> {
    this.#commands.close()
  }

  async #scan(shard: number, start: ScanStart | undefined, query: Omit<DeadLetterQuery, 'cursor'>): Promise<ShardScan> {
    const { filter, order, limit } = query
    const stretch = { shard, ...stretchOf(start, filter, order), wanted: limit }
    const { isDone, found, lastId } = isSparse(filter) ? await this.#match(stretch, filter) : await this.#read(stretch)
    return { letters: found, stoppedAt: isDone ? undefined : positionOf(lastId, shard) }
  }

  /** Letters as they come. */
  async #read({ shard, isUp, from, end, wanted }: Stretch): Promise<Stop> {
    const { dead } = this.#keys[shard]
    const args = [dead, from, end, 'COUNT', wanted]
    const entries = (await this.#commands.call(dead, (client) =>
      client.callBuffer(isUp ? 'XRANGE' : 'XREVRANGE', args),
    )) as [id: Buffer, fields: Buffer[]][]
    const found = entries.map(([id, fields]) => readDeadLetter(shard, id.toString(), fields))
    return { isDone: entries.length < wanted, found, lastId: entries.at(-1)?.[0].toString() ?? '' }
  }

  /** Those that match, without sending the others. */
  async #match({ shard, isUp, from, end, wanted }: Stretch, filter: DeadLetterFilter): Promise<Stop> {
    const { class: kind = '', fingerprint = '', correlationId = '', device } = filter
    const mark = device === undefined ? '' : deviceMark(device)
    const args = [isUp ? 'up' : 'down', from, end, wanted, kind, fingerprint, correlationId, mark]
    const { dead, deadBodies } = this.#keys[shard]
    const reply = (await this.#commands.run(SCAN, [dead, deadBodies], args)) as ScanReply
    const [isDone, lastId, ...entries] = reply
    const found: DeadLetter[] = []
    for (let i = 0; i + 1 < entries.length; i += 2) {
      found.push(readDeadLetter(shard, (entries[i] as Buffer).toString(), entries[i + 1] as Buffer[]))
    }
    return { isDone: isDone === 1, found, lastId: lastId.toString() }
  }

  /** `undefined` for what can be no letter of this queue. */
  #find(id: string): GlobalPosition | undefined {
    const at = parseId(id)
    return at !== undefined && at.shard < this.shards ? at : undefined
  }

  #byShard(ids: readonly string[]): Map<number, string[]> {
    const byShard = new Map<number, Set<string>>()
    for (const id of ids) {
      const at = this.#find(id)
      if (at === undefined) continue
      const known = byShard.get(at.shard) ?? new Set()
      byShard.set(at.shard, known.add(streamIdOf(at)))
    }
    return new Map([...byShard].map(([shard, some]) => [shard, [...some]]))
  }
}

/** Part of a shard's letters to look through. */
interface Stretch {
  shard: number
  isUp: boolean
  from: string
  end: string
  wanted: number
}

interface Stop {
  /** The stretch was looked through to its end. */
  isDone: boolean
  found: DeadLetter[]
  lastId: string
}

/** Whether letters have to be looked at to know whether they match. */
function isSparse({ class: kind, fingerprint, correlationId, device }: DeadLetterFilter): boolean {
  return [kind, fingerprint, correlationId, device].some((part) => part !== undefined)
}

/** What is left of a shard's letters for a page, as XRANGE and XREVRANGE take it. */
function stretchOf(
  start: ScanStart | undefined,
  { fromMs, toMs }: DeadLetterFilter,
  order: PageOrder,
): Pick<Stretch, 'isUp' | 'from' | 'end'> {
  const isUp = order === 'oldest-first'
  const bounds = [fromMs === undefined ? '-' : `${fromMs}`, beforeId(toMs)]
  const [first, end] = isUp ? bounds : bounds.reverse()
  return { isUp, from: start === undefined ? first : laterOf(isUp, first, start), end }
}

function ungrouped(count: number): DeadLetterGroup {
  const message = 'Letters of an earlier version, which did not group them.'
  return { fingerprint: UNGROUPED, class: '', message, count, firstAtMs: undefined, lastAtMs: undefined }
}

/** The highest id before a time. */
function beforeId(toMs: number | undefined): string {
  return toMs === undefined ? '+' : `(${Math.max(0, toMs)}-0`
}

/** Whichever of the filter's bound and the page's start comes later in the direction. */
function laterOf(isUp: boolean, bound: string, start: ScanStart): string {
  const id = `${start.isInclusive ? '' : '('}${streamIdOf(start)}`
  if (bound === '-' || bound === '+') return id
  const ms = Number(bound.replace(/^\(/, '').split('-')[0])
  return (isUp ? start.ms < ms : start.ms >= ms) ? bound : id
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}
