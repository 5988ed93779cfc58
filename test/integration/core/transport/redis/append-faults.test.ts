import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { AppendOutcome } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { ack, batch, batches, leaseAll, numbers, owned, seqs, store } from '#test/conformance/batch-stream-fixture'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf, appendUntilStored, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { TcpProxy } from '#test/support/tcp-proxy'

const LEASE_MS = 60_000

describe('appending to Redis while it misbehaves', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()

  it('survives a flushed script cache, with calls under way, without a gap', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const calls: Promise<AppendOutcome[]>[] = []
    const flushes: Promise<unknown>[] = []
    for (let seq = 1; seq <= 2000; seq += 10) {
      calls.push(producer.append(batches(seq, seq + 9)))
      if (seq % 50 === 1) flushes.push(admin.script('FLUSH'))
      if (seq % 300 === 1) await Promise.all(calls)
    }
    await Promise.all(flushes)
    for (const outcomes of await Promise.all(calls)) {
      for (const outcome of outcomes) assert.deepEqual(outcome, { kind: 'stored' })
    }
    const stream = await keep(openBatchStream(options, 'holder'))
    await admin.script('FLUSH')
    const shard = owned(await stream.own(0, LEASE_MS))
    const entries = await leaseAll(shard)
    assert.deepEqual(seqs(entries), numbers(1, 2000))
    await admin.script('FLUSH')
    await ack(shard, entries)
  })

  it('stores every batch once when Redis is killed and restarted in the middle', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 500 })
    const producer = await keep(openBatchProducer(options))
    const body = new Uint8Array(8100)
    const seen = { stored: 0, duplicate: 0, unavailable: 0, gap: 0, refused: 0 }
    let restart: Promise<void> | undefined
    const toStore = batches(1, 3000, { body })
    await appendUntilStored(producer, toStore, ({ kind }) => {
      seen[kind]++
      if (seen.stored === 1000) restart ??= redis.restart()
    })
    await restart
    assert.ok(seen.unavailable > 0, JSON.stringify(seen))
    assert.equal(seen.refused, 0)
    const stream = await keep(openBatchStream(options, 'holder'))
    const entries = await leaseAll(owned(await stream.own(0, LEASE_MS)), { maxEntries: 200, maxBytes: 1e7 })
    assert.deepEqual(seqs(entries), numbers(1, 3000))
  })

  it('tells duplicates from new batches when replies were lost', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer({ ...options, port: proxy.port }))
    await store(producer, batches(1, 5))
    proxy.dropReplies()
    for (const { kind } of await producer.append(batches(6, 10))) assert.equal(kind, 'unavailable')
    const kinds = (await producer.append(batches(6, 12))).map(({ kind }) => kind)
    assert.deepEqual(kinds, [...Array(5).fill('duplicate'), 'stored', 'stored'])
  })

  it('ends every append when the connection is cut, and goes on with a new one', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer({ ...options, port: proxy.port }))
    const all = batches(1, 1500)
    let outcomes = 0
    await appendUntilStored(producer, all, () => {
      if (++outcomes % 200 === 0) proxy.cut()
    })
    const stream = await keep(openBatchStream(options, 'holder'))
    assert.deepEqual(seqs(await leaseAll(owned(await stream.own(0, LEASE_MS)))), numbers(1, 1500))
  })

  it('answers "unavailable" while Redis is away, and stores once it is back', async () => {
    const own = await keep(startRedis())
    const producer = await keep(openBatchProducer(queueAt(own.port, { commandTimeoutMs: 300 })))
    await store(producer, [batch(1)])
    await own.kill()
    const [outcome] = await producer.append([batch(2)])
    assert.equal(outcome.kind, 'unavailable')
    assert.match((outcome as { message: string }).message, /^Redis at 127\.0\.0\.1:\d+: .*Fix: /)
    await own.restart()
    await appendUntilStored(producer, batches(1, 2))
    assert.deepEqual(await producer.append([batch(2)]), [{ kind: 'duplicate' }])
  })

  it('refuses as misconfigured what lands on a key of another type, and changes nothing', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    await admin.set(`{${options.queueName}:0}:normal`, 'in the way')
    const [blocked, other] = await producer.append([batch(1), batch(1, { shard: 1 })])
    assert.equal(blocked.kind === 'refused' && blocked.reason, 'misconfigured')
    assert.equal(other.kind, 'stored')
    await assert.rejects(stream.own(0, LEASE_MS), { code: 'TLM_STREAM_MISCONFIGURED', message: /normal is a string/ })
    await admin.del(`{${options.queueName}:0}:normal`)
    await store(producer, [batch(1)])
    const [depth] = await stream.depths()
    assert.deepEqual([depth.entries, depth.samples, depth.bytes], [1, 10, 10])
  })

  it('refuses as full when memory is, goes on draining, and stores again afterwards', async () => {
    const own = await keep(startRedis(['--maxmemory', '20mb']))
    const options = queueAt(own.port)
    const producer = await keep(openBatchProducer(options))
    const body = new Uint8Array(65_300).fill(7)
    let stored = 0
    let refusal: AppendOutcome | undefined
    while (refusal === undefined) {
      const [outcome] = await producer.append([batch(stored + 1, { body })])
      if (outcome.kind === 'stored') stored++
      else refusal = outcome
    }
    assert.equal(refusal.kind === 'refused' && refusal.reason, 'full')
    // Everything a processor does works without new memory: open, own, read, retry, dead-letter, save state, beat.
    const stream = await keep(openBatchStream(options, 'holder'))
    assert.deepEqual(await stream.beat(LEASE_MS), ['holder'])
    const first = owned(await stream.own(0, LEASE_MS))
    const entries = await leaseAll(first)
    assert.deepEqual(seqs(entries), numbers(1, stored))
    const [one, two, ...rest] = entries
    const settlement = {
      ack: rest.slice(0, 20).map(({ id }) => id),
      retry: [{ id: one.id, priority: one.priority, attempts: 1, afterMs: 0 }],
      deadLetter: [{ id: two.id, priority: two.priority, class: 'test', message: 'no room' }],
      state: new Map([['row', new Uint8Array(1000)]]),
    }
    assert.deepEqual(await first.settle(settlement), { kind: 'settled' })
    await first.release()
    const second = owned(await stream.own(0, LEASE_MS))
    await ack(second, await leaseAll(second))
    assert.deepEqual(await producer.append([batch(stored + 1, { body })]), [{ kind: 'stored' }])
  })
})
