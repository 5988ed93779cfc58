import type { Redis } from 'ioredis'
import { TelemetryError } from '../../errors/telemetry-error.js'
import type { QueueKeys } from './keyspace.js'
import { isDenied } from './redis-errors.js'

/** Version of the keys and scripts of a queue. Those of another version are not touched. */
const PROTOCOL = 1
const OLDEST_REDIS = [7, 0]

/**
 * Refuses a Redis that is too old or may evict entries. A user who may not ask (`INFO` is denied by the ACL) goes on.
 *
 * @returns its run id, when it may be asked
 * @throws TLM_STREAM_MISCONFIGURED
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
  return info.get('run_id')
}

/**
 * Makes the queue known with its number of shards, or checks that it is the one it was made with: another number would
 * send a source to another shard, away from its state.
 *
 * @throws TLM_STREAM_MISCONFIGURED
 */
export async function checkQueue(client: Redis, where: string, keys: QueueKeys, shards: number): Promise<void> {
  let [protocol, made] = await client.hmget(keys.meta, 'protocol', 'shards')
  if (protocol === null || made === null) {
    // Two that come at once: the first one's numbers stay, and both read them.
    await client.hsetnx(keys.meta, 'protocol', PROTOCOL)
    await client.hsetnx(keys.meta, 'shards', shards)
    ;[protocol, made] = await client.hmget(keys.meta, 'protocol', 'shards')
  }
  if (Number(protocol) !== PROTOCOL) {
    const fix = 'use the program of that version, or another queue name'
    throw misconfigured(`${where}: the queue is of protocol ${protocol}, this program speaks ${PROTOCOL}. Fix: ${fix}`)
  }
  if (Number(made) !== shards) {
    const fix = `set shards to ${made} here, or use another queue name`
    throw misconfigured(`${where}: the queue was made with ${made} shards, this program has ${shards}. Fix: ${fix}`)
  }
}

async function readInfo(client: Redis): Promise<Map<string, string> | undefined> {
  try {
    const text = await client.info('server', 'memory')
    return new Map(text.split('\r\n').map((line) => line.split(':', 2) as [string, string]))
  } catch (error) {
    if (isDenied(error)) return undefined
    throw error
  }
}

function misconfigured(message: string): TelemetryError {
  return new TelemetryError('TLM_STREAM_MISCONFIGURED', `${message}.`)
}
