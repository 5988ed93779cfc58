import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LeasedEntry, SettleResult } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { ALL, batches, leaseAll, numbers, owned, seqs, settlement, store } from '#test/conformance/batch-stream-fixture'
import { persistently, row } from '#test/support/in-order-processor'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { appendUntilStored, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { seededRandom } from '#test/support/seeded-random'
import { TcpProxy } from '#test/support/tcp-proxy'

const LEASE_MS = 60_000
const LOST = 0.01
/** A run of the scenarios below is told by it. */
const SEED = Number(process.env.SEED ?? 20_260_701)
/** Redis names the stream in its reply to a read; integers are the replies of owner scripts. */
const IS_READ = (reply: Buffer) => reply.includes('}:normal')
const IS_INTEGER = (reply: Buffer) => reply[0] === 0x3a

describe(`Redis behind a network that loses replies and is slow (seed ${SEED})`, () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()

  /** Loses one reply in a hundred of those that match, and at least the tenth. */
  function lossy(proxy: TcpProxy, matches: (reply: Buffer) => boolean) {
    const random = seededRandom(SEED)
    const lost = { replies: 0, of: 0 }
    proxy.loseReplies((reply) => {
      if (!matches(reply)) return false
      lost.of++
      const isLost = random() < LOST || lost.of === 10
      if (isLost) lost.replies++
      return isLost
    })
    return lost
  }

  it('stores each batch once when the reply to every hundredth append is lost (scenario 9)', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer({ ...options, port: proxy.port }))
    const lost = lossy(proxy, (reply) => reply[0] === 0x2a)
    const kinds = { stored: 0, duplicate: 0, unavailable: 0, gap: 0, refused: 0 }
    for (const batch of batches(1, 3000)) await appendUntilStored(producer, [batch], ({ kind }) => void kinds[kind]++)
    assert.ok(lost.replies > 10, `${lost.replies} of ${lost.of} replies`)
    assert.equal(kinds.unavailable, lost.replies)
    assert.equal(kinds.duplicate, lost.replies, 'what was done is found to be done')
    const stream = await keep(openBatchStream(options, 'holder'))
    assert.deepEqual(seqs(await leaseAll(owned(await stream.own(0, LEASE_MS)))), numbers(1, 3000))
  })

  it('gets again at once, once more, what was in a lost reply to a read (scenario 10)', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    await store(await keep(openBatchProducer(options)), batches(1, 3000))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    const lost = lossy(proxy, IS_READ)
    let slowestMs = 0
    for (let done = 0; done < 3000; ) {
      const startMs = performance.now()
      const entries = await persistently(() => shard.lease({ maxEntries: 4, maxBytes: 1e6 }, 5000))
      slowestMs = Math.max(slowestMs, performance.now() - startMs)
      assert.deepEqual(seqs(entries), numbers(done + 1, done + entries.length))
      for (const { deliveryCount } of entries) assert.ok(deliveryCount <= 2)
      done += entries.length
      await shard.settle(settlement({ ack: entries.map(({ id }) => id) }))
    }
    assert.ok(lost.replies > 3, `${lost.replies} of ${lost.of} replies`)
    assert.ok(slowestMs < 500, `the slowest lease took ${slowestMs} ms`)
    assert.equal((await stream.depths())[0].entries, 0)
  })

  it('counts once, and runs nothing again, when the reply to every hundredth settlement is lost (scenario 11)', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    await store(await keep(openBatchProducer(options)), batches(1, 2000))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    const lost = lossy(proxy, IS_INTEGER)
    const entries: LeasedEntry[] = await persistently(() => shard.lease(ALL, 0))
    assert.equal(entries.length, 2000)
    for (const [i, { id }] of entries.entries()) {
      const end = settlement({ ack: [id], state: row(i + 1) })
      const result: SettleResult = await persistently(() => shard.settle(end))
      assert.deepEqual(result, { kind: 'settled' })
    }
    assert.ok(lost.replies > 10, `${lost.replies} of ${lost.of} replies`)
    assert.deepEqual(await persistently(() => shard.lease(ALL, 0)), [])
    const [{ entries: left, samples, bytes }] = await persistently(() => stream.depths())
    assert.deepEqual([left, samples, bytes], [0, 0, 0])
    const state = await persistently(() => shard.loadState())
    assert.equal(Buffer.from(state.get('last')!).toString(), '2000')
  })

  for (const rttMs of [50, 200, 1000]) {
    it(`keeps its lease over a round trip of ${rttMs} ms with jitter, and loses no time beyond it (scenario 13)`, async () => {
      const options = queueAt(redis.port, { commandTimeoutMs: 4 * rttMs + 1000 })
      const proxy = await keep(TcpProxy.start(redis.port))
      const leaseMs = 3 * rttMs + 100
      const producer = await keep(openBatchProducer({ ...options, port: proxy.port }))
      const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
      const shard = owned(await stream.own(0, leaseMs))
      // The connection of the reads is there, as after the first minute.
      await store(producer, batches(1, 1))
      const [first] = await shard.lease(ALL, 0)
      proxy.setWeather({ delayMs: 0.4 * rttMs, jitterMs: 0.2 * rttMs })
      const rounds = Math.max(3, Math.round(1000 / rttMs))
      const tookMs: number[] = []
      let toAck = [first.id]
      for (let round = 1; round <= rounds; round++) {
        const startMs = performance.now()
        await store(producer, batches(round + 1, round + 1))
        const [entries, renewed] = await Promise.all([shard.lease(ALL, leaseMs), shard.renew()])
        assert.equal(renewed, true)
        assert.deepEqual(seqs(entries), [round + 1])
        assert.deepEqual(await shard.settle(settlement({ ack: toAck })), { kind: 'settled' })
        toAck = entries.map(({ id }) => id)
        tookMs.push(performance.now() - startMs)
      }
      // An append, a read and a settlement, one after the other: three round trips, with 20 % for jitter and work. The
      // median, since this host may be busy with other things.
      const medianMs = tookMs.sort((a, b) => a - b)[Math.floor(rounds / 2)]
      assert.ok(medianMs < 3 * rttMs * 1.2 + 50, `${medianMs} ms a round`)
    })
  }

  it('takes no slow trickle of bytes for a dead connection (scenario 13)', async () => {
    const commandTimeoutMs = 300
    const options = queueAt(redis.port, { commandTimeoutMs })
    const proxy = await keep(TcpProxy.start(redis.port))
    const body = new Uint8Array(1000)
    const producer = await keep(openBatchProducer({ ...options, port: proxy.port }))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 1, { body }))
    assert.equal((await leaseAll(shard)).length, 1)
    await store(producer, batches(2, 9, { body }))
    // 50 bytes every 20 ms: 2.5 KB/s, and a reply of 9 KB takes ten times as long as Redis may stay silent.
    proxy.setWeather({ bytesPerSecond: 2500 })
    const startMs = performance.now()
    const entries = await shard.lease(ALL, 20_000)
    assert.deepEqual(seqs(entries), numbers(2, 9))
    assert.ok(performance.now() - startMs > 5 * commandTimeoutMs, 'it was slow indeed')
    for (const { deliveryCount } of entries) assert.equal(deliveryCount, 1)
  })
})
