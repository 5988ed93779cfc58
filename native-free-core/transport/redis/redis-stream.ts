/**
 * The {@link BatchStream} and {@link TaskInbox} on Redis Streams, for many hosts: Redis or Valkey from 7.0, single, with
 * sentinels or as a cluster. Keys, scripts and guarantees: `docs/redis.md`.
 */
import type { Redis } from 'ioredis'
import type { BatchProducer, BatchStream } from '../batch-stream.js'
import type { BatchTracer } from '../batch-tracer.js'
import type { DeadLetterBox } from '../dead-letters.js'
import type { PressureSignal } from '../pressure-signal.js'
import type { TaskInbox } from '../task-inbox.js'
import type { CommandRouter } from './command-router.js'
import type { TagScheme } from './hash-slot.js'
import { inboxKeys, keysOfShards, queueKeys, type ShardKeys } from './keyspace.js'
import { openRouter, type Reached } from './open-router.js'
import { RedisBatchStream } from './redis-batch-stream.js'
import { type NewClient, newIoredisClient } from './redis-connection.js'
import { RedisDeadLetterBox } from './redis-dead-letters.js'
import { RedisInbox } from './redis-inbox.js'
import { type RedisStreamOptions, readRedisOptions, readRedisStreamOptions } from './redis-options.js'
import { RedisPressure } from './redis-pressure.js'
import { RedisProducer } from './redis-producer.js'
import { RedisTracer } from './redis-tracer.js'
import { APPEND } from './scripts/append-v1-k5.js'
import { checkQueue, checkRights, checkServer } from './store-check.js'

/**
 * @param options `RedisStreamOptions`
 * @param newClient what stands for ioredis in a simulation
 * @throws TLM_STREAM_UNAVAILABLE while Redis cannot be reached: try again
 * @throws TLM_STREAM_MISCONFIGURED for wrong credentials, a server that may evict or is too old, another shard count
 * @throws TLM_OPTIONS_INVALID
 */
export async function openBatchProducer(
  options: unknown,
  newClient: NewClient = newIoredisClient,
): Promise<BatchProducer> {
  const stream = readRedisStreamOptions(options)
  const prepare = async (client: Redis) => {
    await client.script('LOAD', APPEND.text)
    // Whether the user may ask at all: later it would look as if the replicas had not answered.
    if (stream.replication !== undefined) await client.call('WAIT', 0, 1)
  }
  const { router, keys } = await openQueue(stream, 'producer', prepare, newClient)
  await checkRightsOrClose(router, 'producer', { work: keys[0].highWater, queue: queueKeys(stream.queueName).meta })
  return new RedisProducer(router, keys, stream.replication)
}

/**
 * @param options `RedisStreamOptions`
 * @param holder unique name of this process
 * @param newClient what stands for ioredis in a simulation
 * @throws TLM_STREAM_UNAVAILABLE while Redis cannot be reached: try again
 * @throws TLM_STREAM_MISCONFIGURED for wrong credentials, a server that may evict or is too old, another shard count
 * @throws TLM_OPTIONS_INVALID
 */
export async function openBatchStream(
  options: unknown,
  holder: string,
  newClient: NewClient = newIoredisClient,
): Promise<BatchStream> {
  const stream = readRedisStreamOptions(options)
  const { router, keys } = await openQueue(stream, 'stream', undefined, newClient)
  await checkRightsOrClose(router, 'stream', { work: keys[0].owner, queue: queueKeys(stream.queueName).meta })
  return new RedisBatchStream(router, keys, stream, holder)
}

/**
 * @param options `RedisOptions`
 * @param holder unique name of this process
 * @throws TLM_STREAM_UNAVAILABLE while Redis cannot be reached: try again
 * @throws TLM_STREAM_MISCONFIGURED for wrong credentials, a server that may evict or is too old
 * @throws TLM_OPTIONS_INVALID
 */
export async function openTaskInbox(options: unknown, holder: string): Promise<TaskInbox> {
  const redis = readRedisOptions(options)
  const router = await openRouter(redis, 'inbox', inboxKeys(redis.queueName).list, (client, { where }) =>
    checkServer(client, where),
  )
  const { owner, list } = inboxKeys(redis.queueName)
  await checkRightsOrClose(router, 'inbox', { work: owner, queue: list })
  return new RedisInbox(router, redis, holder)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED TLM_OPTIONS_INVALID as {@link openBatchStream}
 */
export async function openDeadLetterBox(options: unknown): Promise<DeadLetterBox> {
  const stream = readRedisStreamOptions(options)
  const { router, keys } = await openQueue(stream, 'dead-letters')
  return new RedisDeadLetterBox(router, keys, stream.queueName, stream.deadLetters)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED TLM_OPTIONS_INVALID as {@link openBatchStream}
 */
export async function openBatchTracer(options: unknown): Promise<BatchTracer> {
  const stream = readRedisStreamOptions(options)
  const { router, keys } = await openQueue(stream, 'tracer')
  return new RedisTracer(router, new RedisDeadLetterBox(router, keys, stream.queueName, stream.deadLetters), keys)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED TLM_OPTIONS_INVALID as {@link openBatchStream}
 */
export async function openPressureSignal(options: unknown): Promise<PressureSignal> {
  const stream = readRedisStreamOptions(options)
  const { router } = await openQueue(stream, 'pressure')
  return new RedisPressure(router, stream.queueName)
}

/** Also makes the queue known, again whenever its server is new: a flushed one has forgotten it. */
async function openQueue(
  { shards, queueName, ...options }: RedisStreamOptions,
  name: string,
  prepare: (client: Redis) => Promise<void> = async () => {},
  newClient: NewClient = newIoredisClient,
): Promise<{ router: CommandRouter; keys: ShardKeys[] }> {
  const queue = queueKeys(queueName)
  let tags: TagScheme = 'plain'
  const look = async (client: Redis, { where, isCluster, holdsKey }: Reached) => {
    const run = await checkServer(client, where)
    if (holdsKey) tags = await checkQueue(client, where, queue, shards, isCluster ? 'spread' : 'plain')
    await prepare(client)
    return run
  }
  const router = await openRouter({ queueName, ...options }, name, queue.meta, look, newClient)
  return { router, keys: keysOfShards(queueName, shards, tags) }
}

async function checkRightsOrClose(...check: Parameters<typeof checkRights>): Promise<void> {
  try {
    await checkRights(...check)
  } catch (error) {
    check[0].close()
    throw error
  }
}
