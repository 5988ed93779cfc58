import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { BatchStream, OwnedShard, ShardDepth } from '../batch-stream.js'
import type { DeadLetterLimits } from '../dead-letters.js'
import { queueKeys, shardKeys } from './keyspace.js'
import { type NewClient, newIoredisClient, RedisLink } from './redis-link.js'
import type { RedisStreamOptions } from './redis-options.js'
import { RedisShard } from './redis-shard.js'
import { BEAT } from './scripts/beat-v1-k1.js'
import { DEPTH } from './scripts/depth-v1-k7.js'
import { OWN } from './scripts/own-v1-k7.js'
import type { ServerWatch } from './server-watch.js'
import { MAX_BLOCK_MS } from './shard-reader.js'
import { checkServer } from './store-check.js'

type OwnReply = [token: number, dueInMs: number, deliveries: Buffer[]] | [0]
type DepthReply = [
  entries: number,
  samples: number,
  bytes: number,
  deadLetters: number,
  delayed: number,
  oldestMs: number,
  owner: Buffer,
]

/** Owns shards: one connection for commands, and one for the blocking reads of each shard that it owns. */
export class RedisBatchStream implements BatchStream {
  readonly shards: number
  readonly #options: RedisStreamOptions & { deadLetters: DeadLetterLimits }
  readonly #holder: string
  readonly #commands: RedisLink
  readonly #newClient: NewClient
  readonly #watch: ServerWatch
  readonly #owned = new Set<RedisShard>()
  /** Names of attempts to own a shard that were not answered: trying again with it finds what they have got. */
  readonly #claims = new Map<number, string>()

  #isMember = false

  constructor(
    commands: RedisLink,
    watch: ServerWatch,
    options: RedisStreamOptions & { deadLetters: DeadLetterLimits },
    holder: string,
    newClient: NewClient = newIoredisClient,
  ) {
    this.shards = options.shards
    this.#commands = commands
    this.#options = options
    this.#holder = holder
    this.#newClient = newClient
    this.#watch = watch
    watch.onNewRun = () => {
      for (const shard of this.#owned) shard.surrender()
    }
  }

  async own(shard: number, leaseMs: number): Promise<OwnedShard | undefined> {
    const keys = shardKeys(this.#options.queueName, shard)
    const claim = this.#claims.get(shard) ?? randomUUID()
    this.#claims.set(shard, claim)
    const { owner, streams, deliveries, highWater, delayed } = keys
    const args = [this.#holder, claim, Math.ceil(leaseMs)]
    const scriptKeys = [owner, ...streams, deliveries, highWater, delayed]
    const reply = (await this.#commands.run(OWN, scriptKeys, args)) as OwnReply
    this.#claims.delete(shard)
    if (reply.length === 1) return undefined
    const [token, dueInMs, counts] = reply

    const formerDeliveries = new Map<string, number>()
    for (let i = 0; i + 1 < counts.length; i += 2) formerDeliveries.set(counts[i].toString(), Number(counts[i + 1]))
    const { deadLetters, commandTimeoutMs } = this.#options
    const replyTimeoutMs = MAX_BLOCK_MS + commandTimeoutMs
    // This connection may be the first to meet another run of the server: nothing may be read from it as if it knew.
    const see = async (client: Redis) => this.#watch.see(await checkServer(client, reads.where))
    const reads: RedisLink = new RedisLink(this.#options, `shard-${shard}`, replyTimeoutMs, see, this.#newClient)
    const ownership = { shard, token, leaseMs: args[2] as number, dueInMs, formerDeliveries, deadLetters }
    const owned = new RedisShard({ commands: this.#commands, reads }, keys, ownership, () => this.#owned.delete(owned))
    this.#owned.add(owned)
    return owned
  }

  async beat(memberMs: number): Promise<string[]> {
    this.#isMember = true
    const { members } = queueKeys(this.#options.queueName)
    const living = (await this.#commands.run(BEAT, [members], [this.#holder, Math.ceil(memberMs)])) as Buffer[]
    return living.map((name) => name.toString()).sort()
  }

  depths(): Promise<ShardDepth[]> {
    return Promise.all(Array.from({ length: this.shards }, (_, shard) => this.#depth(shard)))
  }

  /** Owned shards are not released: their leases run out. Others learn at once that this holder is gone. */
  async close(): Promise<void> {
    for (const shard of this.#owned) shard.abandon()
    if (this.#isMember) {
      const { members } = queueKeys(this.#options.queueName)
      await this.#commands.call((client) => client.zrem(members, this.#holder)).catch(() => {})
    }
    this.#commands.close()
  }

  async #depth(shard: number): Promise<ShardDepth> {
    const { owner, streams, delayed, dead, counters } = shardKeys(this.#options.queueName, shard)
    const reply = await this.#commands.run(DEPTH, [owner, ...streams, delayed, dead, counters], [])
    const [entries, samples, bytes, deadLetters, delayedEntries, oldestMs, holder] = reply as DepthReply
    return {
      shard,
      entries,
      samples,
      bytes,
      deadLetters,
      delayed: delayedEntries,
      oldestStoredAtUs: oldestMs < 0 ? undefined : oldestMs * 1000,
      owner: holder.length === 0 ? undefined : holder.toString(),
    }
  }
}
