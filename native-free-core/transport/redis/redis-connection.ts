import { type RedisOptions as ClientOptions, Redis } from 'ioredis'
import type { RedisAddress, RedisOptions } from './redis-options.js'

/** What ioredis says for a command whose connection ended: it may have been applied. */
export const CLOSED = 'Connection is closed.'

/** Makes a client that is not connected yet. */
export type NewClient = (options: ClientOptions) => Redis

export const newIoredisClient: NewClient = (options) => new Redis(options)

/** One server by its address, or the present primary by what sentinels say. */
export type RedisTarget = RedisAddress | { sentinels: readonly RedisAddress[]; name: string }

/** For messages, e.g. `Redis at 127.0.0.1:6379`. */
export function describeTarget(target: RedisTarget): string {
  if ('host' in target) return `Redis at ${addressText(target)}`
  return `Redis "${target.name}" of the sentinels ${target.sentinels.map(addressText).join(', ')}`
}

export function addressText({ host, port }: RedisAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/**
 * A client that is not connected yet and lives for one connection only: it never connects again, never resends and
 * never queues, so every command is answered or rejected with its connection.
 *
 * @param name shown by `CLIENT LIST`
 * @param replyTimeoutMs how long the server may answer nothing while commands wait
 * @param newClient what stands for ioredis in a simulation
 */
export function newConnection(
  options: RedisOptions,
  target: RedisTarget,
  name: string,
  replyTimeoutMs: number,
  newClient: NewClient = newIoredisClient,
): Redis {
  const { username, password, db, tls, commandTimeoutMs } = options
  return newClient({
    ...('host' in target ? target : sentinelOptions(target, options)),
    username,
    password,
    db,
    ...(tls && { tls: {} }),
    protocol: 2,
    connectionName: `telemetryhub:${name}`,
    disableClientInfo: true,
    lazyConnect: true,
    connectTimeout: commandTimeoutMs,
    socketTimeout: replyTimeoutMs,
    disconnectTimeout: 100,
    // Whoever opens it looks at the server instead; ioredis would wait silently while it loads its data.
    enableReadyCheck: false,
    enableOfflineQueue: false,
    retryStrategy: null,
  })
}

function sentinelOptions(
  { sentinels, name }: { sentinels: readonly RedisAddress[]; name: string },
  { sentinelPassword, tls, commandTimeoutMs }: RedisOptions,
): ClientOptions {
  return {
    sentinels: sentinels.map(({ host, port }) => ({ host, port })),
    name,
    sentinelPassword,
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: {} }),
    // One look at each; the link tries again in its own time.
    sentinelRetryStrategy: () => null,
    // A sentinel that is frozen must not hold up the next one.
    sentinelCommandTimeout: Math.min(500, commandTimeoutMs),
  }
}
