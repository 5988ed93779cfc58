import { batchId, isOfBatch } from '../../model/batch.js'
import type { Priority } from '../../model/priority.js'
import type { BatchName, BatchPlace, BatchTrace, BatchTracer, LiveBatch } from '../batch-tracer.js'
import type { DeadLetterBox } from '../dead-letters.js'
import type { CommandRouter } from './command-router.js'
import { positionOf, readDeadLetter } from './dead-letter-entry.js'
import type { ShardKeys } from './keyspace.js'
import { unpackStrings } from './packed-strings.js'
import { SCAN } from './scripts/scan-v2-k2.js'
import { deliveryKey } from './stream-entry.js'

/** Script calls for one stream, of some 1 ms each: half a gigabyte of batches. */
const MAX_SCANS = 4000
const HELD_AT_ONCE = 50
const MAX_HELD_SCANS = 2000

type ScanReply = [isDone: number, lastId: Buffer, ...entries: (Buffer | Buffer[])[]]

/** What is known of the owner of a shard. */
interface Ownership {
  holder: string | undefined
  group: string
}

/** Looks through a shard's keys for one batch. */
export class RedisTracer implements BatchTracer {
  readonly shards: number
  readonly #commands: CommandRouter
  readonly #box: DeadLetterBox
  readonly #keys: readonly ShardKeys[]

  /**
   * @param box is closed with the tracer; so are the connections, which both may share
   * @param keys of all shards
   */
  constructor(commands: CommandRouter, box: DeadLetterBox, keys: readonly ShardKeys[]) {
    this.shards = keys.length
    this.#commands = commands
    this.#box = box
    this.#keys = keys
  }

  async trace(batch: BatchName): Promise<BatchTrace> {
    const keys = this.#keys[batch.shard]
    if (keys === undefined) return { places: [], highWaterSeq: undefined, owner: undefined, isComplete: true }
    const id = batchId(batch, batch.shard)
    const ownership = await this.#ownership(keys)
    const places: BatchPlace[] = []
    let isComplete = true
    for (const [priority, stream] of keys.streams.entries()) {
      const scanned = await this.#findInStream(keys, stream, priority as Priority, id, ownership)
      if (scanned === undefined) isComplete = false
      else places.push(...scanned)
    }
    const delayed = await this.#findDelayed(keys, id)
    if (delayed === undefined) isComplete = false
    else places.push(...delayed)
    places.push(...(await this.#findDead(batch.shard, id)))
    const field = `${batch.producer}#${batch.epoch}`
    const highWater = await this.#commands.call(keys.highWater, (client) => client.hget(keys.highWater, field))
    const highWaterSeq = highWater === null ? undefined : Number(highWater)
    return { places, highWaterSeq, owner: ownership.holder, isComplete }
  }

  close(): Promise<void> {
    return this.#box.close()
  }

  async #ownership({ owner }: ShardKeys): Promise<Ownership> {
    const [[holder, until, token, group], [seconds]] = await this.#commands.call(owner, (client) =>
      Promise.all([client.hmget(owner, 'holder', 'until', 'token', 'group'), client.time()]),
    )
    const isHeld = Number(until) > Number(seconds) * 1000
    return { holder: isHeld && holder ? holder : undefined, group: `g${token}.${group}` }
  }

  /** `undefined`: there is too much to look through. */
  async #findInStream(
    keys: ShardKeys,
    stream: string,
    priority: Priority,
    id: string,
    ownership: Ownership,
  ): Promise<BatchPlace[] | undefined> {
    let from = '-'
    for (let scans = 0; scans < MAX_SCANS; scans++) {
      const reply = (await this.#commands.run(
        SCAN,
        [stream, keys.deadBodies],
        ['up', from, '+', 1, '', '', id, ''],
      )) as ScanReply
      const [isDone, lastId, foundId, fields] = reply
      if (foundId !== undefined) {
        return [await this.#placeOf(keys, stream, priority, foundId.toString(), fields as Buffer[], ownership)]
      }
      if (isDone === 1) return []
      from = `(${lastId.toString()}`
    }
    return undefined
  }

  async #placeOf(
    { deliveries }: ShardKeys,
    stream: string,
    priority: Priority,
    streamId: string,
    fields: Buffer[],
    { holder, group }: Ownership,
  ): Promise<BatchPlace> {
    const [pending, former] = await this.#commands.call(stream, (client) =>
      Promise.all([
        client.xpending(stream, group, streamId, streamId, 1).catch(() => []),
        client.hget(deliveries, deliveryKey(priority, streamId)),
      ]),
    )
    const live = liveOf(priority, fields, positionOf(streamId, 0).ms)
    const deliveredBefore = live.deliveries + Number(former ?? 0)
    const [read] = pending as [id: string, consumer: string, idleMs: number, count: number][]
    if (read === undefined || holder === undefined) return { kind: 'waiting', ...live, deliveries: deliveredBefore }
    return { kind: 'in-flight', owner: holder, forMs: read[2], ...live, deliveries: deliveredBefore + 1 }
  }

  async #findDelayed({ held, delayed }: ShardKeys, id: string): Promise<BatchPlace[] | undefined> {
    let cursor = '0'
    for (let scans = 0; scans < MAX_HELD_SCANS; scans++) {
      const [next, rows] = await this.#commands.call(held, (client) =>
        client.hscanBuffer(held, cursor, 'COUNT', HELD_AT_ONCE),
      )
      for (let i = 0; i + 1 < rows.length; i += 2) {
        const fields = unpackStrings(rows[i + 1])
        if (!isOfBatch(fieldOf(fields, 'c') ?? '', id)) continue
        const member = rows[i].toString()
        const due = await this.#commands.call(delayed, (client) => client.zscore(delayed, member))
        const live = liveOf(Number(member[0]) as Priority, fields, undefined)
        return [{ kind: 'delayed', dueAtMs: Number(due), ...live }]
      }
      cursor = next.toString()
      if (cursor === '0') return []
    }
    return undefined
  }

  async #findDead(shard: number, correlationId: string): Promise<BatchPlace[]> {
    const places: BatchPlace[] = []
    let cursor: string | undefined
    do {
      const page = await this.#box.page({ filter: { shard, correlationId }, order: 'newest-first', cursor, limit: 10 })
      for (const letter of page.letters) places.push({ kind: 'dead', letter })
      cursor = page.cursor
    } while (cursor !== undefined)
    return places
  }
}

/** The fields mean the same in the work streams as in that of the dead letters. */
function liveOf(priority: Priority, fields: Buffer[], storedAtMs: number | undefined): LiveBatch {
  const { attempts, deliveries, generation, samples, bytes } = readDeadLetter(0, '0-0', fields)
  return { priority, storedAtMs, attempts, deliveries, generation, samples, bytes }
}

function fieldOf(fields: readonly Buffer[], name: string): string | undefined {
  const at = fields.findIndex((field, i) => i % 2 === 0 && field.toString() === name)
  return at < 0 ? undefined : fields[at + 1]?.toString()
}
