import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import type { TagScheme } from './hash-slot.js'
import type { QueueKeys } from './keyspace.js'
import { isDenied } from './redis-errors.js'

/** Version of the keys and scripts of a queue. Those of another version are not touched. */
const PROTOCOL = 1
const OLDEST_REDIS = [7, 0]

/**
 * Refuses a Redis that is too old, may evict entries or is a replica. A user who may not ask (`INFO` is denied by the
 * ACL) goes on.
 *
 * @returns which run of which history of the data it is, when it may be asked
 * @throws TLM_STREAM_MISCONFIGURED; TLM_STREAM_UNAVAILABLE for a replica, which may become the primary any moment
 */
export async function checkServer(client: Redis, where: string): Promise<string | undefined> {
  const info = await readInfo(client)
  if (info === undefined) return undefined
  const version = info.get('redis_version') ?? info.get('valkey_version')
  const [major, minor] = (version ?? '').split('.').map(Number)
  if (major < OLDEST_REDIS[0] || (major === OLDEST_REDIS[0] && minor < OLDEST_REDIS[1])) {
    throw misconfigured(`${where} is version ${version}; streams need 7.0 or newer. Fix: upgrade it`)
  }
  const policy = info.get('maxmemory_policy')
  if (policy !== undefined && policy !== 'noeviction') {
    const fix = 'redis-cli CONFIG SET maxmemory-policy noeviction, and the same line in redis.conf'
    throw misconfigured(`${where} has maxmemory-policy ${policy}: it would throw batches away. Fix: ${fix}`)
  }
  if (info.get('role') === 'slave') throw new Error('READONLY it is a replica')
  // A replica that is promoted keeps its run id and begins another history; one that was restarted keeps neither.
  return `${info.get('run_id')} ${info.get('master_replid')}`
}

/**
 * Makes the queue known with its number of shards, or checks that it is the one it was made with: another number would
 * send a source to another shard, away from its state.
 *
 * @param tags how the shards of a new queue are tagged; one that is there stays as it was made
 * @returns how they are tagged
 * @throws TLM_STREAM_MISCONFIGURED
 */
export async function checkQueue(
  client: Redis,
  where: string,
  keys: QueueKeys,
  shards: number,
  tags: TagScheme,
): Promise<TagScheme> {
  let [protocol, made, tagged] = await client.hmget(keys.meta, 'protocol', 'shards', 'tags')
  if (protocol === null || made === null) {
    // Two that come at once: the first one's values stay, and both read them.
    await client.hsetnx(keys.meta, 'tags', tags)
    await client.hsetnx(keys.meta, 'protocol', PROTOCOL)
    await client.hsetnx(keys.meta, 'shards', shards)
    ;[protocol, made, tagged] = await client.hmget(keys.meta, 'protocol', 'shards', 'tags')
  }
  if (Number(protocol) !== PROTOCOL) {
    const fix = 'use the program of that version, or another queue name'
    throw misconfigured(`${where}: the queue is of protocol ${protocol}, this program speaks ${PROTOCOL}. Fix: ${fix}`)
  }
  if (Number(made) !== shards) {
    const fix = `set shards to ${made} here, or use another queue name`
    throw misconfigured(`${where}: the queue was made with ${made} shards, this program has ${shards}. Fix: ${fix}`)
  }
  // Queues from before tags were chosen have none on record.
  return tagged === 'spread' ? 'spread' : 'plain'
}

async function readInfo(client: Redis): Promise<Map<string, string> | undefined> {
  try {
    const text = await client.info('server', 'memory', 'replication')
    return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]))
  } catch (error) {
    if (isDenied(error)) return undefined
    throw error
  }
}

function misconfigured(message: string): TelemetryError {
  return new TelemetryError('TLM_STREAM_MISCONFIGURED', `${message}.`)
}
