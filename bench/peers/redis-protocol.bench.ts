/**
 * What the protocol costs: our append, lease and settle beside the bare commands they stand on, over the same ioredis,
 * server, body, pipeline and read size. The bare commands know no order, owner, duplicates, sizes or retries.
 */
import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import type { SealedBatch } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { startRedis } from '#test/support/redis-server'
import type { Bench, BenchRow } from '../bench.js'

const WINDOW = 64
const READ = 16
/** The largest bodies that fit jemalloc's size classes, see `codec/batch-codec`. */
const SIZES = [8_100, 65_300]

/** Entries per second of one round. */
interface Round {
  append: number
  consume: number
}

interface Contender {
  append(count: number): Promise<void>
  /** Reads and settles everything. @returns entries seen */
  consume(): Promise<number>
  /** Entries left in Redis. */
  left(): Promise<number>
  close(): Promise<void>
}

export const bench: Bench = {
  title: 'Redis protocol against bare stream commands',
  async run(mode) {
    const redis = await startRedis(['--maxmemory', '2gb'])
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
  for (let round = -1; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      const figure = await measure(contender, count)
      if (round >= 0) figures[i].push(figure) // round -1 warms up
    }
  }
  for (const contender of contenders) await contender.close()

  const [bare, ours] = figures
  const row = (what: keyof Round, [bareName, oursName]: readonly [string, string]): BenchRow[] => {
    const rates = [bare, ours].map((list) => median(list.map((figure) => figure[what])))
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
    ...row('append', [`XADD, ${WINDOW} a pipeline`, `append, ${WINDOW} a call`]),
    ...row('consume', [`XREADGROUP ${READ}, MULTI XACK XDEL`, `lease ${READ}, settle`]),
  ]
}

async function measure(contender: Contender, count: number): Promise<Round> {
  const start = performance.now()
  await contender.append(count)
  const appended = performance.now()
  assert.equal(await contender.consume(), count)
  const consumed = performance.now()
  assert.equal(await contender.left(), 0)
  return { append: (count * 1000) / (appended - start), consume: (count * 1000) / (consumed - appended) }
}

async function startBare(port: number, body: Buffer): Promise<Contender> {
  const client = new Redis({ port, host: '127.0.0.1', protocol: 2 })
  const key = `bare:${randomUUID()}`
  await client.xgroup('CREATE', key, 'group', '0', 'MKSTREAM')
  return {
    async append(count) {
      for (let sent = 0; sent < count; sent += WINDOW) {
        const pipeline = client.pipeline()
        for (let i = 0; i < WINDOW; i++) pipeline.xadd(key, '*', 'b', body)
        await pipeline.exec()
      }
    },
    async consume() {
      for (let count = 0; ; ) {
        const args = ['GROUP', 'group', 'consumer', 'COUNT', READ, 'STREAMS', key, '>']
        const reply = (await client.callBuffer('XREADGROUP', args)) as [Buffer, [Buffer, Buffer[]][]][] | null
        if (reply === null) return count
        const ids = reply[0][1].map(([id]) => id)
        count += ids.length
        await client
          .multi()
          .xack(key, 'group', ...ids)
          .xdel(key, ...ids)
          .exec()
      }
    },
    left: () => client.xlen(key),
    close: async () => client.disconnect(),
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
  return {
    async append(count) {
      for (let sent = 0; sent < count; sent += WINDOW) {
        const outcomes = await producer.append(Array.from({ length: WINDOW }, next))
        assert.ok(outcomes.every(({ kind }) => kind === 'stored'))
      }
    },
    async consume() {
      for (let count = 0; ; ) {
        const entries = await shard.lease({ maxEntries: READ, maxBytes: 1e8 }, 0)
        if (entries.length === 0) return count
        count += entries.length
        const ack = entries.map(({ id }) => id)
        const { kind } = await shard.settle({ ack, retry: [], deadLetter: [], state: new Map() })
        assert.equal(kind, 'settled')
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
