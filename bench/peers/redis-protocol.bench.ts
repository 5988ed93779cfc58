/**
 * What the protocol costs: our append, lease and settle beside the bare commands they stand on, over the same ioredis,
 * server, entries, read size and depth. The bare commands know no order, owner, duplicates, sizes or retries.
 *
 * Both sides work as hub and processor do: eight appends are in flight, and the next entries are read, on a connection of
 * their own, while the former are settled; a processor that is behind reads up to a megabyte at once. They take turns at
 * going first, and Redis rewrites its file between the rounds, never in one.
 */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { pause } from '#core/time/pause'
import type { LeasedEntry, SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { startRedis } from '#test/support/redis-server'
import type { Bench, BenchRow } from '../bench.js'

/** Entries of one append, and appends in flight. */
const WINDOW = 8
const IN_FLIGHT = 8
const READS = [16, 64]
/** The largest bodies that fit jemalloc's size classes, see `codec/batch-codec`. */
const SIZES = [8_100, 65_300]

/** Entries per second of one round. */
interface Round {
  append: number
  /** By {@link READS}. */
  consume: number[]
}

interface Contender {
  append(count: number): Promise<void>
  /** Reads and settles everything. @param read entries at once @returns entries seen */
  consume(read: number): Promise<number>
  /** Entries left in Redis. */
  left(): Promise<number>
  close(): Promise<void>
}

export const bench: Bench = {
  title: 'Redis protocol against bare stream commands',
  async run(mode) {
    const redis = await startRedis(['--maxmemory', '2gb', '--auto-aof-rewrite-percentage', '0'])
    const rows: BenchRow[] = []
    try {
      for (const bytes of SIZES) {
        const count = ((mode === 'short' ? 2 : 8) * (bytes < 10_000 ? 4096 : 1024)) / 2
        rows.push(...(await compare(redis.port, bytes, count, mode === 'short' ? 3 : 7)))
      }
    } finally {
      await redis.stop()
    }
    return rows
  },
}

async function compare(port: number, bytes: number, count: number, rounds: number): Promise<BenchRow[]> {
  const body = randomBytes(bytes)
  const contenders = [await startBare(port, body), await startOurs(port, body)]
  const figures = contenders.map((): Round[] => [])
  const admin = new Redis({ port, host: '127.0.0.1' })
  for (let round = -1; round < rounds; round++) {
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) {
      await rewriteFile(admin)
      const figure = await measure(contenders[i], count)
      if (round >= 0) figures[i].push(figure) // round -1 warms up
    }
  }
  admin.disconnect()
  for (const contender of contenders) await contender.close()

  const [bare, ours] = figures
  const row = (of: (round: Round) => number, [bareName, oursName]: readonly [string, string]): BenchRow[] => {
    const rates = [bare, ours].map((list) => median(list.map(of)))
    const size = `${(bytes / 1000).toFixed(1)} KB`
    return [
      { contender: `${size}: ${bareName}`, unit: 'batches/s', value: rates[0], note: `median of ${rounds}` },
      {
        contender: `${size}: ${oursName}`,
        unit: 'batches/s',
        value: rates[1],
        note: `${(rates[1] / rates[0]).toFixed(2)} x bare`,
      },
    ]
  }
  return [
    ...row(
      ({ append }) => append,
      [`XADD, ${IN_FLIGHT} pipelines of ${WINDOW}`, `append, ${IN_FLIGHT} calls of ${WINDOW}`],
    ),
    ...READS.flatMap((read, at) =>
      row(({ consume }) => consume[at], [`XREADGROUP ${read}, MULTI XACK XDEL`, `lease ${read}, settle`]),
    ),
  ]
}

/** With nothing stored it takes no time; in the middle of a round it would. */
async function rewriteFile(admin: Redis): Promise<void> {
  await admin.bgrewriteaof()
  while (/aof_rewrite_(in_progress|scheduled):1/.test(await admin.info('persistence'))) await pause(10)
}

/** Calls `append` for `count` entries, so many at a time. */
async function inFlight(count: number, append: () => Promise<void>): Promise<void> {
  let left = count
  const run = async () => {
    for (; left > 0; ) {
      left -= WINDOW
      await append()
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, run))
}

async function measure(contender: Contender, count: number): Promise<Round> {
  const appends: number[] = []
  const consume: number[] = []
  for (const read of READS) {
    const start = performance.now()
    await contender.append(count)
    const appended = performance.now()
    assert.equal(await contender.consume(read), count)
    const consumed = performance.now()
    assert.equal(await contender.left(), 0)
    appends.push((count * 1000) / (appended - start))
    consume.push((count * 1000) / (consumed - appended))
  }
  return { append: median(appends), consume }
}

async function startBare(port: number, body: Buffer): Promise<Contender> {
  const [client, reader] = [0, 1].map(() => new Redis({ port, host: '127.0.0.1', protocol: 2 }))
  const key = `bare:${randomUUID()}`
  let seq = 0
  await client.xgroup('CREATE', key, 'group', '0', 'MKSTREAM')
  const settle = (ids: Buffer[]) =>
    client
      .multi()
      .xack(key, 'group', ...ids)
      .xdel(key, ...ids)
      .exec()
  return {
    append: (count) =>
      inFlight(count, async () => {
        const pipeline = client.pipeline()
        for (let i = 0; i < WINDOW; i++) {
          seq++
          const fields = ['c', `bench.r0.1700000000000000.0.${seq}`, 'h', '*', 'n', 400, 't', 1.7e15 + seq, 'b', body]
          pipeline.xadd(key, '*', ...fields)
        }
        await pipeline.exec()
      }),
    async consume(read) {
      let settled: Promise<unknown> = Promise.resolve()
      for (let count = 0; ; ) {
        const args = ['GROUP', 'group', 'consumer', 'COUNT', read, 'STREAMS', key, '>']
        const reply = (await reader.callBuffer('XREADGROUP', args)) as [Buffer, [Buffer, Buffer[]][]][] | null
        await settled
        if (reply === null) return count
        const ids = reply[0][1].map(([id]) => id)
        count += ids.length
        settled = settle(ids)
      }
    },
    left: () => client.xlen(key),
    async close() {
      client.disconnect()
      reader.disconnect()
    },
  }
}

async function startOurs(port: number, body: Buffer): Promise<Contender> {
  const connection = { host: '127.0.0.1', port, queueName: `ours:${randomUUID()}`, shards: 1, commandTimeoutMs: 10_000 }
  const producer = await openBatchProducer(connection)
  const stream = await openBatchStream(connection, 'bench')
  const shard = await stream.own(0, 600_000)
  assert.ok(shard)
  let seq = 0
  const next = (): SealedBatch => {
    seq++
    const numbering = { producer: 'bench.r0', epoch: 1.7e15, seq, shard: 0, priority: 1 } as const
    return { ...numbering, handler: '*', samples: 400, firstTakenAtUs: 1.7e15 + seq, body }
  }
  const settle = async (entries: readonly LeasedEntry[]) => {
    const ack = entries.map(({ id }) => id)
    const { kind } = await shard.settle({ ack, retry: [], deadLetter: [], state: new Map() })
    assert.equal(kind, 'settled')
  }
  return {
    append: (count) =>
      inFlight(count, async () => {
        const outcomes = await producer.append(Array.from({ length: WINDOW }, next))
        assert.ok(outcomes.every(({ kind }) => kind === 'stored'))
      }),
    async consume(read) {
      let settled = Promise.resolve()
      for (let count = 0; ; ) {
        const entries = await shard.lease({ maxEntries: read, maxBytes: 1e8 }, 0)
        await settled
        if (entries.length === 0) return count
        count += entries.length
        settled = settle(entries)
      }
    },
    left: async () => (await stream.depths())[0].entries,
    close: async () => {
      await producer.close()
      await stream.close()
    },
  }
}

function median(figures: readonly number[]): number {
  return figures.toSorted((a, b) => a - b)[figures.length >> 1]
}
