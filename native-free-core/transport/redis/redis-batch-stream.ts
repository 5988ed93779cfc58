import { randomUUID } from 'node:crypto'
import type { BatchStream, OwnedShard, ShardDepth } from '../batch-stream.js'
import type { DeadLetterLimits } from '../dead-letters.js'
import type { CommandRouter } from './command-router.js'
import { queueKeys, type ShardKeys } from './keyspace.js'
import type { RedisStreamOptions } from './redis-options.js'
import { runScript } from './redis-script.js'
import { RedisShard } from './redis-shard.js'
import { BEAT } from './scripts/beat-v1-k1.js'
import { DEPTH } from './scripts/depth-v1-k7.js'
import { OWN } from './scripts/own-v1-k7.js'
import { ServerWatch } from './server-watch.js'
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

/** Owns shards: one connection for commands to each server, and one for the blocking reads of each shard that it owns. */
export class RedisBatchStream implements BatchStream {
  readonly shards: number
  readonly #options: RedisStreamOptions & { deadLetters: DeadLetterLimits }
  readonly #holder: string
  readonly #commands: CommandRouter
  readonly #keys: readonly ShardKeys[]
  readonly #owned = new Set<RedisShard>()
  /** Names of attempts to own a shard that were not answered: trying again with it finds what they have got. */
  readonly #claims = new Map<number, string>()

  #isMember = false

  /** @param keys of all shards */
  constructor(
    commands: CommandRouter,
    keys: readonly ShardKeys[],
    options: RedisStreamOptions & { deadLetters: DeadLetterLimits },
    holder: string,
  ) {
    this.shards = keys.length
    this.#commands = commands
    this.#keys = keys
    this.#options = options
    this.#holder = holder
  }

  async own(shard: number, leaseMs: number): Promise<OwnedShard | undefined> {
    const keys = this.#keys[shard]
    const claim = this.#claims.get(shard) ?? randomUUID()
    this.#claims.set(shard, claim)
    const { owner, streams, deliveries, highWater, delayed } = keys
    const args = [this.#holder, claim, Math.ceil(leaseMs)]
    const scriptKeys = [owner, ...streams, deliveries, highWater, delayed]
    const { reply, run } = await this.#commands.call(owner, async (client, run) => ({
      reply: (await runScript(client, OWN, scriptKeys, args)) as OwnReply,
      run,
    }))
    this.#claims.delete(shard)
    if (reply.length === 1) return undefined
    const [token, dueInMs, counts] = reply

    const formerDeliveries = new Map<string, number>()
    for (let i = 0; i + 1 < counts.length; i += 2) formerDeliveries.set(counts[i].toString(), Number(counts[i + 1]))
    const watch = new ServerWatch(run, () => owned.surrender())
    const { deadLetters, commandTimeoutMs } = this.#options
    const blockedMs = MAX_BLOCK_MS + commandTimeoutMs
    const reads = this.#commands.ownLink(owner, `shard-${shard}`, blockedMs, async (client, where) => {
      watch.see(await checkServer(client, where))
      return undefined
    })
    const links = { commands: this.#commands.at(owner, watch), reads }
    const ownership = { shard, token, leaseMs: args[2] as number, dueInMs, formerDeliveries, deadLetters }
    const owned = new RedisShard(links, keys, ownership, () => this.#owned.delete(owned))
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
      await this.#commands.call(members, (client) => client.zrem(members, this.#holder)).catch(() => {})
    }
    this.#commands.close()
  }

  async #depth(shard: number): Promise<ShardDepth> {
    const { owner, streams, delayed, dead, counters } = this.#keys[shard]
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
