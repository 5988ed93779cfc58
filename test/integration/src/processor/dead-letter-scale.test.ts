import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Redis } from 'ioredis'
import { systemClock } from '#core/time/clock'
import type { BatchProducer, BatchStream } from '#core/transport/batch-stream'
import type { DeadLetterBox } from '#core/transport/dead-letters'
import * as redisStore from '#core/transport/redis/redis-stream'
import * as embeddedStore from '#src/embedded/embedded-stream'
import { countLetters, pages } from '#src/processor/dead-letters/letter-count'
import { purgeLetters } from '#src/processor/dead-letters/purge'
import { ReplayJobs } from '#src/processor/dead-letters/replay-jobs'
import { batch, owned, settlement } from '#test/conformance/batch-stream-fixture'
import { startRedis } from '#test/support/redis-server'
import { adminOf } from '#test/support/redis-store'
import { temporaryDirectory } from '#test/support/temporary-directory'

/** `DEAD_LETTERS=100000` measures at full size. */
const LETTERS = Number(process.env.DEAD_LETTERS ?? 8000)
const SHARDS = 8
const BODY = new Uint8Array(Number(process.env.DEAD_LETTER_BYTES ?? 1000)).fill(7)
const ROOMY = { maxEntries: 10 * LETTERS, maxBytes: 2 ** 40, maxAgeMs: 1e12 }

const redis = await startRedis()
const directory = join(await temporaryDirectory('dead-letter-scale'), 'data')
after(() => redis.stop())

interface Store {
  producer: BatchProducer
  stream: BatchStream
  box: DeadLetterBox
}

async function openStore(module: typeof redisStore | typeof embeddedStore, options: object): Promise<Store> {
  const all = { ...options, shards: SHARDS, deadLetters: ROOMY }
  const producer = await module.openBatchProducer(all)
  return { producer, stream: await module.openBatchStream(all, 'owner'), box: await module.openDeadLetterBox(all) }
}

/** Lets as many batches die as are wanted, of three causes, one of them rare. */
async function buryAll({ producer, stream }: Store): Promise<void> {
  for (let shard = 0; shard < SHARDS; shard++) {
    const owner = owned(await stream.own(shard, 600_000))
    const share = LETTERS / SHARDS
    for (let from = 1; from <= share; from += 500) {
      const count = Math.min(500, share - from + 1)
      await producer.append(Array.from({ length: count }, (_, i) => batch(from + i, { shard, body: BODY })))
      for (let left = count; left > 0; ) {
        const entries = await owner.lease({ maxEntries: 500, maxBytes: 1e9 }, 5000)
        left -= entries.length
        const deadLetter = entries.map(({ id, priority }, i) => {
          const kind = (from + i) % 2 === 0 ? 'TLM_HANDLER_FAILED' : 'TLM_BATCH_UNREADABLE'
          return { id, priority, class: (from + i) % 1000 === 0 ? 'rare' : kind, message: `row ${from + i} is wrong` }
        })
        await owner.settle(settlement({ deadLetter }))
      }
    }
    await owner.release()
  }
}

/** What Redis was held up by since the last call: the bound is on its computing time, the rest depends on who else runs. */
class ScriptFigures {
  readonly #admin: Redis
  #computedMs = 0

  constructor(admin: Redis) {
    this.#admin = admin
  }

  async take(): Promise<string> {
    const admin = this.#admin
    const stats = /cmdstat_evalsha:calls=(\d+),usec=\d+,usec_per_call=([\d.]+)/.exec(await admin.info('commandstats'))
    const slow = (await admin.slowlog('GET', 10_000)) as [number, number, number, string[]][]
    const worstUs = Math.max(0, ...slow.map(([, , us]) => us))
    const cpu = await admin.info('cpu')
    const computedMs = ['user', 'sys'].reduce((sum, kind) => sum + 1000 * Number(cpuOf(cpu, kind)), 0)
    const scripts = Number(stats?.[1] ?? 0)
    const spentMs = this.#computedMs === 0 ? 0 : computedMs - this.#computedMs
    this.#computedMs = computedMs
    await admin.config('RESETSTAT')
    await admin.slowlog('RESET')
    assert.ok(scripts === 0 || spentMs / scripts < 5, `${spentMs} ms for ${scripts} scripts`)
    return `${scripts} scripts, ${stats?.[2] ?? 0} us each; ${slow.length} over 5 ms, the worst ${worstUs / 1000} ms`
  }
}

function cpuOf(info: string, kind: string): string {
  return new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(info)?.[1] ?? '0'
}

function percentile(values: number[], part: number): string {
  return values.sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))].toFixed(1)
}

async function timed<T>(durations: number[], work: () => Promise<T>): Promise<T> {
  const startMs = performance.now()
  const result = await work()
  durations.push(performance.now() - startMs)
  return result
}

for (const [name, open] of Object.entries({
  Redis: () => openStore(redisStore, { host: '127.0.0.1', port: redis.port, queueName: `test:${randomUUID()}` }),
  'the embedded store': () => openStore(embeddedStore, { directory }),
})) {
  test(`${LETTERS} letters on ${name} are paged, and replayed once each through an abort and a resume`, async (context) => {
    const store = await open()
    const { box, stream } = store
    const admin = name === 'Redis' ? await adminOf(redis.port) : undefined
    await admin?.config('SET', 'slowlog-log-slower-than', '5000')
    const figures = admin && new ScriptFigures(admin)
    const tell = async (what: string) => {
      if (figures !== undefined) context.diagnostic(`${what}: ${await figures.take()}`)
    }
    await figures?.take()
    await buryAll(store)
    await tell('burying')

    const durations: number[] = []
    const seen = new Set<string>()
    let cursor: string | undefined
    do {
      const page = await timed(durations, () => box.page({ filter: {}, order: 'newest-first', cursor, limit: 100 }))
      for (const { id } of page.letters) seen.add(id)
      cursor = page.cursor
    } while (cursor !== undefined)
    assert.equal(seen.size, LETTERS)
    context.diagnostic(`page of 100: p50 ${percentile(durations, 0.5)} ms, p99 ${percentile(durations, 0.99)} ms`)
    await tell('pages')
    const rare: number[] = []
    let found = 0
    let next: string | undefined
    do {
      const query = { filter: { class: 'rare' }, order: 'newest-first', cursor: next, limit: 100 } as const
      const page = await timed(rare, () => box.page(query))
      found += page.letters.length
      next = page.cursor
    } while (next !== undefined)
    assert.equal(found, Math.floor(LETTERS / SHARDS / 1000) * SHARDS)
    context.diagnostic(`page of a rare class: ${rare.length} pages, p99 ${percentile(rare, 0.99)} ms`)
    await tell('pages of a rare class')
    const grouping: number[] = []
    const groups = await timed(grouping, () => box.groups(10))
    assert.equal(
      groups.reduce((sum, { count }) => sum + count, 0),
      LETTERS,
    )
    context.diagnostic(`groups: ${grouping[0].toFixed(1)} ms`)

    const counting: number[] = []
    const counted = await timed(counting, () => countLetters(box, {}, 3))
    assert.equal(counted.letters, LETTERS)
    context.diagnostic(`dry run: ${counting[0].toFixed(0)} ms`)
    await tell('groups and dry run')

    const jobs = new ReplayJobs(systemClock, 3)
    const wanted = LETTERS / 4
    const rate = Number(process.env.DEAD_LETTER_RATE ?? LETTERS / 8)
    const startMs = performance.now()
    const job = await jobs.start(box, { filter: {}, ratePerSecond: rate, limit: wanted })
    assert.ok('record' in job)
    while (job.record.counts.replayed < wanted / 3) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await jobs.abort(box, job.record.id), true)
    assert.equal(job.record.state, 'aborted')
    const midway = job.record.counts.replayed
    assert.ok(midway < wanted)
    const tookMs = performance.now() - startMs
    context.diagnostic(`replayed ${midway} at ${Math.round((midway / tookMs) * 1000)}/s, asked for ${rate}/s`)
    // Another process goes on with what is written down.
    const rest = await new ReplayJobs(systemClock, 3).resume(box, job.record.id)
    assert.ok(rest !== undefined && 'record' in rest)
    await rest.ended
    assert.deepEqual([rest.record.state, rest.record.counts.replayed], ['done', wanted])

    await tell('replay')
    let left = 0
    for await (const letters of pages(box, {})) left += letters.length
    assert.equal(left, LETTERS - wanted)
    const delivered = new Set<string>()
    let deliveries = 0
    for (let shard = 0; shard < SHARDS; shard++) {
      const owner = owned(await stream.own(shard, 600_000))
      for (;;) {
        const entries = await owner.lease({ maxEntries: 1000, maxBytes: 1e9 }, 0)
        if (entries.length === 0) break
        deliveries += entries.length
        for (const { correlationId } of entries) delivered.add(correlationId)
        await owner.settle(settlement({ ack: entries.map(({ id }) => id) }))
      }
      await owner.release()
    }
    assert.deepEqual([delivered.size, deliveries], [wanted, wanted])

    const purging: number[] = []
    const purged = await timed(purging, () => purgeLetters(box, { class: 'rare' }, undefined))
    const rareLeft = purged.found.letters
    assert.equal((await purgeLetters(box, { class: 'rare' }, rareLeft)).kind, 'purged')
    for await (const letters of pages(box, {})) left -= letters.length
    assert.equal(left, rareLeft)
    await tell('purge')
    admin?.disconnect()
    await box.close()
    await stream.close()
    await store.producer.close()
  })
}
