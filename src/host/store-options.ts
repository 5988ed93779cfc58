/** Options that hub and processor must agree on: where batches go, and into how many shards. */
import { z } from 'zod'
import { TelemetryError } from '#core/errors/telemetry-error'
import { address, durationMs, flag, integer, list, oneOf, text } from '#core/options/fields'
import type { Override } from '#core/options/override-source'
import type { RedisOptions } from '#core/transport/redis/redis-options'
import { LOG_LEVELS } from './logger.js'
import type { Flag } from './program-options.js'

export const redisSchema = z
  .strictObject({
    enabled: flag().optional(),
    url: text(1024).optional(),
    host: text(255).optional(),
    port: integer(1, 65_535).optional(),
    /** Some nodes of a cluster; the others are learned. A node named by url or host is recognised, too. */
    cluster: list(address()).optional(),
    /** Sentinels, and what they call the primary. */
    sentinels: list(address()).optional(),
    sentinel_name: text(128).optional(),
    sentinel_password: text(512).optional(),
    username: text(128).optional(),
    password: text(512).optional(),
    db: integer(0, 1_000_000).default(0),
    tls: flag().default(false),
    queue_name: text(128).default('telemetry:tasks'),
    mode: oneOf('stream', 'list').default('stream'),
    command_timeout_ms: integer(100, 600_000).default(2000),
    /** When a batch counts as stored: when the primary has it, or when replicas do. */
    durability: oneOf('local', 'replicated').default('local'),
    replicas: integer(1, 16).default(1),
    replication_timeout_ms: durationMs(1, 60_000).default(1000),
    /** It is meant to keep nothing over a restart: no warning because of that. */
    ephemeral: flag().default(false),
  })
  .prefault({})

export const storeSchema = z
  .strictObject({
    /** Directory of the embedded store and of the findings. */
    directory: text(4096).default('telemetryhub-data'),
    shards: integer(1, 64).default(8),
  })
  .prefault({})

export const logSchema = z
  .strictObject({ level: oneOf(...LOG_LEVELS).default('info'), file: text(4096).optional() })
  .prefault({})

const httpFields = { host: text(255).default('127.0.0.1'), token: text(512).optional() }

/** @param defaultPort taken when none is given */
export function httpSchema(defaultPort: number) {
  return z.strictObject({ ...httpFields, port: integer(0, 65_535).default(defaultPort) }).prefault({})
}

/** The same for a program that tells a port it was given from its own default. */
export const httpSchemaWithoutPort = z.strictObject({ ...httpFields, port: integer(0, 65_535).optional() }).prefault({})

export type RedisConfig = z.output<typeof redisSchema>

/** Where batches are stored. */
export type Store =
  | { kind: 'embedded'; directory: string; shards: number }
  | { kind: 'redis'; redis: RedisOptions; shards: number }

/**
 * Redis when any place names one (file, environment or flag) and none says `enabled: false`; else the embedded store.
 *
 * @throws TLM_OPTIONS_INVALID for a URL that is none, for sentinels without a name or with a cluster
 */
export function chooseStore(redis: RedisConfig, store: z.output<typeof storeSchema>): Store {
  const places = [redis.url, redis.host, redis.port, redis.cluster, redis.sentinels]
  const isNamed = places.some((place) => place !== undefined)
  if (!(redis.enabled ?? isNamed)) return { kind: 'embedded', ...store }
  return { kind: 'redis', shards: store.shards, redis: connectionOf(redis) }
}

function connectionOf(redis: RedisConfig): RedisOptions {
  if (redis.cluster && redis.sentinels) {
    const fix = 'Fix: give one of the two; a cluster fails over by itself.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `redis.sentinels and redis.cluster are both given. ${fix}`)
  }
  if (redis.sentinels && redis.sentinel_name === undefined) {
    const fix = 'Fix: add what the sentinels call the primary, e.g. mymaster.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `redis.sentinel_name is missing. ${fix}`)
  }
  const url = redis.url === undefined ? undefined : parseUrl(redis.url)
  const username = url?.username || redis.username
  const password = url?.password || redis.password
  return {
    host: url?.hostname || redis.host || '127.0.0.1',
    port: Number(url?.port || redis.port || 6379),
    ...(redis.cluster && { cluster: redis.cluster }),
    ...(redis.sentinels && { sentinels: redis.sentinels, sentinelName: redis.sentinel_name }),
    ...(redis.sentinel_password && { sentinelPassword: redis.sentinel_password }),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: url?.password ? decodeURIComponent(password) : password }),
    db: Number(url?.pathname.slice(1) || redis.db),
    tls: url?.protocol === 'rediss:' || redis.tls,
    queueName: redis.queue_name,
    commandTimeoutMs: redis.command_timeout_ms,
    ...(redis.durability === 'replicated' && {
      replication: { replicas: redis.replicas, timeoutMs: redis.replication_timeout_ms },
    }),
    ...(redis.ephemeral && { ephemeral: true }),
  }
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && ['redis:', 'rediss:'].includes(url.protocol) && /^\/?\d*$/.test(url.pathname)) return url
  throw new TelemetryError(
    'TLM_OPTIONS_INVALID',
    'redis.url is no Redis URL. Fix: write redis://[user:password@]host:6379/0',
  )
}

export const STORE_FLAGS: readonly Flag[] = [
  { name: 'redis', value: 'URL', path: ['redis', 'url'], help: 'use this Redis, e.g. redis://127.0.0.1:6379' },
  {
    name: 'data',
    value: 'DIR',
    path: ['store', 'directory'],
    help: 'directory of the embedded store and the findings',
  },
  { name: 'shards', value: 'N', path: ['store', 'shards'], help: 'shards of the stream, the same on every program' },
  { name: 'host', value: 'ADDRESS', path: ['http', 'host'], help: 'address of REST and metrics (default 127.0.0.1)' },
  { name: 'port', short: 'p', value: 'PORT', path: ['http', 'port'], help: 'port of REST and metrics' },
  { name: 'log-level', value: 'LEVEL', path: ['log', 'level'], help: LOG_LEVELS.join('|') },
  { name: 'log-file', value: 'FILE', path: ['log', 'file'], help: 'log there instead of to standard output' },
]

export const STORE_ENV: readonly Override[] = [
  { name: 'REDIS_URL', path: ['redis', 'url'] },
  { name: 'REDIS_HOST', path: ['redis', 'host'] },
  { name: 'REDIS_PORT', path: ['redis', 'port'] },
  { name: 'REDIS_CLUSTER', path: ['redis', 'cluster'] },
  { name: 'REDIS_SENTINELS', path: ['redis', 'sentinels'] },
  { name: 'REDIS_SENTINEL_NAME', path: ['redis', 'sentinel_name'] },
  { name: 'REDIS_USERNAME', path: ['redis', 'username'] },
  { name: 'REDIS_PASSWORD', path: ['redis', 'password'] },
  { name: 'REDIS_DB', path: ['redis', 'db'] },
  { name: 'QUEUE_NAME', path: ['redis', 'queue_name'] },
  { name: 'TELEMETRY_DATA', path: ['store', 'directory'] },
  { name: 'TELEMETRY_SHARDS', path: ['store', 'shards'] },
  { name: 'HTTP_HOST', path: ['http', 'host'] },
  { name: 'HTTP_TOKEN', path: ['http', 'token'] },
  { name: 'LOG_LEVEL', path: ['log', 'level'] },
]

/** A program that others can reach must not be changed by anybody. @throws TLM_OPTIONS_INVALID */
export function requireTokenBeyondLoopback(
  http: { host: string; token?: string | undefined },
  isLoopback: boolean,
): void {
  if (isLoopback || http.token !== undefined) return
  const fix = 'Fix: set http.token (or HTTP_TOKEN) to a secret, or listen on 127.0.0.1.'
  throw new TelemetryError('TLM_OPTIONS_INVALID', `http.host ${http.host} can be reached by others. ${fix}`)
}
