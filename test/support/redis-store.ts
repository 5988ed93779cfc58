import { randomUUID } from 'node:crypto'
import { afterEach } from 'node:test'
import { Redis } from 'ioredis'
import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'
import type { RedisStreamOptions } from '#core/transport/redis/redis-options'

/** Options of a queue of its own on a server of the test's. */
export function queueAt(port: number, options: Partial<RedisStreamOptions> = {}): RedisStreamOptions {
  const connection = { host: '127.0.0.1', port, db: 0, tls: false, queueName: `test:${randomUUID()}` }
  return { ...connection, commandTimeoutMs: 2000, shards: 2, ...options }
}

interface Resource {
  close?(): unknown
  stop?(): unknown
  disconnect?(): unknown
}

/** Within `describe`: what is kept is closed after each test, however it ends, the last first. */
export function keepUntilEnd(): <T extends Resource>(resource: T | Promise<T>) => Promise<T> {
  const kept: Resource[] = []
  afterEach(async () => {
    for (const resource of kept.splice(0).reverse()) {
      await (resource.close?.() ?? resource.stop?.() ?? resource.disconnect?.())
    }
  })
  return async (resource) => {
    const opened = await resource
    kept.push(opened)
    return opened
  }
}

/** A plain client to look at and disturb the server with. */
export async function adminOf(port: number): Promise<Redis> {
  const client = new Redis({ port, host: '127.0.0.1', lazyConnect: true, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  await client.connect()
  return client
}

/** Appends like a hub that has kept everything: sends again what is unknown, and what comes after the high water. */
export async function appendUntilStored(
  producer: BatchProducer,
  batches: readonly SealedBatch[],
  onOutcome: (outcome: AppendOutcome) => void = () => {},
): Promise<void> {
  for (let next = 0; next < batches.length; ) {
    const window = batches.slice(next, next + 20)
    const outcomes = await producer.append(window)
    outcomes.forEach(onOutcome)
    const isDone = ({ kind }: AppendOutcome) => kind === 'stored' || kind === 'duplicate'
    const first = outcomes.findIndex((outcome) => !isDone(outcome))
    const outcome = outcomes[first]
    // A gap behind everything sent: the store went back in time.
    if (outcome?.kind === 'gap') next = batches.findIndex(({ seq }) => seq > outcome.highWaterSeq)
    else next += first < 0 ? window.length : first
  }
}

/** The code of what a call threw, or what it gave. */
export async function codeOf<T>(call: Promise<T>): Promise<T | string> {
  return call.catch((error: { code?: string }) => String(error.code))
}
