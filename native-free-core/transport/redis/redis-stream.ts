/**
 * The {@link BatchStream} and {@link TaskInbox} on Redis Streams, for many hosts: Redis or Valkey from 7.0. Keys,
 * scripts and guarantees: `docs/redis.md`.
 */
import type { Redis } from 'ioredis'
import type { BatchProducer, BatchStream } from '../batch-stream.js'
import type { BatchTracer } from '../batch-tracer.js'
import type { DeadLetterBox } from '../dead-letters.js'
import type { PressureSignal } from '../pressure-signal.js'
import type { TaskInbox } from '../task-inbox.js'
import { queueKeys } from './keyspace.js'
import { RedisBatchStream } from './redis-batch-stream.js'
import { RedisDeadLetterBox } from './redis-dead-letters.js'
import { RedisInbox } from './redis-inbox.js'
import { type NewClient, newIoredisClient, RedisLink } from './redis-link.js'
import {
  type RedisOptions,
  type RedisStreamOptions,
  readRedisOptions,
  readRedisStreamOptions,
} from './redis-options.js'
import { RedisPressure } from './redis-pressure.js'
import { RedisProducer } from './redis-producer.js'
import { RedisTracer } from './redis-tracer.js'
import { APPEND } from './scripts/append-v1-k5.js'
import { ServerWatch } from './server-watch.js'
import { checkQueue, checkServer } from './store-check.js'

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
  const link = await openLink(stream, 'producer', newClient, async (client, where) => {
    await checkServer(client, where)
    await checkQueue(client, where, queueKeys(stream.queueName), stream.shards)
    await client.script('LOAD', APPEND.text)
  })
  return new RedisProducer(link, stream.queueName, stream.shards)
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
  const watch = new ServerWatch()
  const link = await openLink(stream, 'stream', newClient, async (client, where) => {
    watch.see(await checkServer(client, where))
    await checkQueue(client, where, queueKeys(stream.queueName), stream.shards)
  })
  return new RedisBatchStream(link, watch, stream, holder, newClient)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED TLM_OPTIONS_INVALID as {@link openBatchStream}
 */
export async function openDeadLetterBox(options: unknown): Promise<DeadLetterBox> {
  const { queueName, shards, deadLetters, ...stream } = readRedisStreamOptions(options)
  const link = await openQueueLink({ queueName, shards, ...stream }, 'dead-letters')
  return new RedisDeadLetterBox(link, queueName, shards, deadLetters)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE TLM_STREAM_MISCONFIGURED TLM_OPTIONS_INVALID as {@link openBatchStream}
 */
export async function openBatchTracer(options: unknown): Promise<BatchTracer> {
  const { queueName, shards, deadLetters, ...stream } = readRedisStreamOptions(options)
  const link = await openQueueLink({ queueName, shards, ...stream }, 'tracer')
  return new RedisTracer(link, new RedisDeadLetterBox(link, queueName, shards, deadLetters), queueName, shards)
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
  const watch = new ServerWatch()
  const link = await openLink(redis, 'inbox', newIoredisClient, async (client, where) =>
    watch.see(await checkServer(client, where)),
  )
  return new RedisInbox(link, watch, redis, holder)
}

/**
 * @param options `RedisStreamOptions`
 * @throws TLM_STREAM_UNAVAILABLE while Redis cannot be reached: try again
 * @throws TLM_STREAM_MISCONFIGURED for wrong credentials
 * @throws TLM_OPTIONS_INVALID
 */
export async function openPressureSignal(options: unknown): Promise<PressureSignal> {
  const stream = readRedisStreamOptions(options)
  return new RedisPressure(await openLink(stream, 'pressure', newIoredisClient, async () => {}), stream.queueName)
}

function openQueueLink(options: RedisStreamOptions, name: string): Promise<RedisLink> {
  return openLink(options, name, newIoredisClient, async (client, where) => {
    await checkServer(client, where)
    await checkQueue(client, where, queueKeys(options.queueName), options.shards)
  })
}

async function openLink(
  options: RedisOptions,
  name: string,
  newClient: NewClient,
  prepare: (client: Redis, where: string) => Promise<void>,
): Promise<RedisLink> {
  const prepareHere = (client: Redis) => prepare(client, link.where)
  const link: RedisLink = new RedisLink(options, name, options.commandTimeoutMs, prepareHere, newClient)
  try {
    await link.client()
  } catch (error) {
    link.close()
    throw error
  }
  return link
}
