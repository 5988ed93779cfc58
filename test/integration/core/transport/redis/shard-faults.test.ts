import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import {
  ALL,
  ack,
  batch,
  batches,
  leaseAll,
  numbers,
  owned,
  ownWhenFree,
  seqs,
  settlement,
  store,
  until,
} from '#test/conformance/batch-stream-fixture'
import { persistently, processInOrder, row } from '#test/support/in-order-processor'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf, appendUntilStored, codeOf, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { TcpProxy } from '#test/support/tcp-proxy'

/** A long run sets `TELEMETRY_RESTARTS`. */
const RESTARTS = Number(process.env.TELEMETRY_RESTARTS ?? 4)
const LEASE_MS = 60_000

describe('reading a shard of Redis while it misbehaves', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()

  it('loses and doubles nothing, and keeps the order, while all connections are killed again and again', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 1000 })
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    let kills = 0
    const nemesis = setInterval(() => {
      kills++
      admin.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {})
    }, 25)
    const work = [appendUntilStored(producer, batches(1, 3000)), processInOrder(stream, 3000, 500)]
    await Promise.all(work)
    clearInterval(nemesis)
    assert.ok(kills > 10, `${kills} kills`)
    const [depth] = await persistently(() => stream.depths())
    assert.deepEqual([depth.entries, depth.samples, depth.bytes], [0, 0, 0])
  })

  it('loses and doubles nothing while Redis is killed and restarted', async () => {
    const own = await keep(startRedis())
    const options = queueAt(own.port, { commandTimeoutMs: 500 })
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    let stored = 0
    let restarts = Promise.resolve()
    const last = 750 * RESTARTS
    const appended = appendUntilStored(producer, batches(1, last, { body: new Uint8Array(2000) }), ({ kind }) => {
      if (kind === 'stored' && ++stored % 700 === 0) restarts = restarts.then(() => own.restart())
    })
    await Promise.all([appended, processInOrder(stream, last, 2000)])
    await restarts
  })

  it('gets an entry again whose reply was lost with the connection, once and at once', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, [batch(1)])
    const first = await shard.lease(ALL, 5000)
    const waiting = shard.lease(ALL, 20_000)
    await until('the read waits', async () => (await blockedClients(redis.port)) > 0)
    proxy.dropReplies()
    await store(producer, [batch(2)])
    proxy.cut()
    const start = performance.now()
    const second = await waiting
    assert.ok(performance.now() - start < 1000)
    assert.deepEqual(seqs([...first, ...second]), [1, 2])
    assert.equal(second[0].deliveryCount, 1)
    await ack(shard, [...first, ...second])
    assert.deepEqual(await leaseAll(shard), [])
  })

  it('does not count a delivery of an entry that is gone when it releases', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 2))
    await shard.lease(ALL, 0)
    const key = (name: string) => `{${options.queueName}:0}:${name}`
    const [[first]] = await admin.xrange(key('normal'), '-', '+', 'COUNT', 1)
    // As after a settlement whose reply was lost.
    await admin.xack(key('normal'), `g${shard.token}.0`, first)
    await admin.xdel(key('normal'), first)
    await shard.release()
    const [[second]] = await admin.xrange(key('normal'), '-', '+')
    assert.deepEqual(await admin.hgetall(key('deliveries')), { [`1:${second}`]: '1' })
  })

  it('takes off the sizes of those acknowledged entries only that were still there', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, [batch(1, { samples: 1 }), batch(2, { samples: 20 }), batch(3, { samples: 300 })])
    const entries = await shard.lease(ALL, 0)
    const key = (name: string) => `{${options.queueName}:0}:${name}`
    const [[first]] = await admin.xrange(key('normal'), '-', '+', 'COUNT', 1)
    // As after a settlement whose reply was lost.
    await admin.xack(key('normal'), `g${shard.token}.0`, first)
    await admin.xdel(key('normal'), first)
    await admin.hincrby(key('ctl'), 'samples', -1)
    await ack(shard, entries)
    const [{ entries: left, samples }] = await stream.depths()
    assert.deepEqual({ left, samples }, { left: 0, samples: 0 })
    assert.equal((await admin.xpending(key('normal'), `g${shard.token}.0`))[0], 0)
  })

  it('acknowledges entries that it was given before and after its group was made anew', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 4))
    const before = await shard.lease({ maxEntries: 2, maxBytes: 1e6 }, 0)
    proxy.cut()
    const after = await persistently(() => shard.lease(ALL, 0))
    await persistently(() => ack(shard, [...before, ...after]))
    const [{ entries, samples, bytes }] = await stream.depths()
    assert.deepEqual({ entries, samples, bytes }, { entries: 0, samples: 0, bytes: 0 })
  })

  it('counts what was handed out before a reconnection as delivered once', async () => {
    const options = queueAt(redis.port)
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 6))
    await shard.lease({ maxEntries: 2, maxBytes: 1e6 }, 0)
    proxy.cut()
    const more = await persistently(() => shard.lease({ maxEntries: 2, maxBytes: 1e6 }, 0))
    assert.deepEqual(seqs(more), [3, 4])
    await shard.release()
    const next = owned(await stream.own(0, LEASE_MS))
    const counts = (await leaseAll(next)).map(({ deliveryCount }) => deliveryCount)
    assert.deepEqual(counts, [2, 2, 2, 2, 1, 1])
  })

  it('recovers from half-open sockets within the block and the reply time', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    const waiting = codeOf(shard.lease(ALL, 20_000))
    await until('the read waits', async () => (await blockedClients(redis.port)) > 0)
    proxy.stall()
    const start = performance.now()
    await store(producer, [batch(1)])
    const first = await waiting
    const entries = typeof first === 'string' ? await persistently(() => shard.lease(ALL, 20_000)) : first
    assert.deepEqual(seqs(entries), [1])
    const recoveredMs = performance.now() - start
    assert.ok(recoveredMs < 3000, `recovered after ${recoveredMs} ms`)
    await ack(shard, entries)
  })

  it('lets a read that reaches Redis late take nothing', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const proxy = await keep(TcpProxy.start(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, [batch(1)])
    assert.deepEqual(seqs(await shard.lease(ALL, 5000)), [1])
    const stalled = proxy.stall()
    await codeOf(shard.lease(ALL, 0))
    await persistently(() => shard.renew())
    assert.deepEqual(await persistently(() => shard.lease(ALL, 0)), [])
    await store(producer, [batch(2)])
    await stalled.deliver()
    assert.deepEqual(seqs(await shard.lease(ALL, 0)), [2])
  })

  it('refuses a settlement that reaches Redis after a later one', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const proxy = await keep(TcpProxy.start(redis.port))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    const stalled = proxy.stall()
    assert.equal(await codeOf(shard.settle(settlement({ state: row(1) }))), 'TLM_STREAM_UNAVAILABLE')
    assert.deepEqual(await shard.settle(settlement({ state: row(2) })), { kind: 'settled' })
    await stalled.deliver()
    assert.deepEqual(Buffer.from((await shard.loadState()).get('last')!).toString(), '2')
  })

  it('finds a shard that it owns already when the reply to its first attempt was lost', async () => {
    const options = queueAt(redis.port, { commandTimeoutMs: 300 })
    const proxy = await keep(TcpProxy.start(redis.port))
    const stream = await keep(openBatchStream({ ...options, port: proxy.port }, 'holder'))
    proxy.dropReplies()
    assert.equal(await codeOf(stream.own(0, LEASE_MS)), 'TLM_STREAM_UNAVAILABLE')
    const shard = owned(await stream.own(0, LEASE_MS))
    assert.equal(await shard.renew(), true)
    assert.equal(await stream.own(0, LEASE_MS), undefined)
  })

  it('loses the shard when everything is flushed, and goes on as a new owner', async () => {
    const own = await keep(startRedis())
    const options = queueAt(own.port)
    const admin = await keep(adminOf(own.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const first = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 3))
    const entries: LeasedEntry[] = await leaseAll(first)
    const waiting = first.lease(ALL, 20_000)
    await until('the read waits', async () => (await blockedClients(own.port)) > 0)
    await admin.flushall()
    assert.deepEqual(await waiting, [])
    assert.equal(await first.renew(), false)
    assert.deepEqual(await first.settle(settlement({ ack: [entries[0].id], state: row(3) })), { kind: 'fenced' })
    // The producer learns that the store went back in time, and bridges what it no longer has.
    assert.deepEqual(await producer.append([batch(4)]), [{ kind: 'gap', highWaterSeq: 0 }])
    await store(producer, [batch(4, { after: 0 })])
    const second = owned(await stream.own(0, LEASE_MS))
    assert.ok(second.token > first.token)
    assert.equal((await second.loadState()).size, 0)
    assert.deepEqual(seqs(await leaseAll(second)), [4])
  })

  it('gives the shard up when Redis comes back without its latest writes: state and entries stay of one piece', async () => {
    const own = await keep(startRedis(['--appendonly', 'no']))
    const options = queueAt(own.port)
    const admin = await keep(adminOf(own.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const first = owned(await stream.own(0, LEASE_MS))
    await store(producer, batches(1, 4))
    const [one, two, three] = await first.lease({ maxEntries: 3, maxBytes: 1e6 }, 0)
    await first.settle(settlement({ ack: [one.id], state: row(1) }))
    await admin.save()
    await first.settle(settlement({ ack: [two.id], state: row(2) }))
    await own.restart()
    const result = await persistently(() => first.settle(settlement({ ack: [three.id], state: row(3) })))
    assert.deepEqual(result, { kind: 'fenced' })
    assert.equal(await first.renew(), false)
    const second = await ownWhenFree(stream)
    assert.equal(Buffer.from((await second.loadState()).get('last')!).toString(), '1')
    assert.deepEqual(seqs(await leaseAll(second)), [2, 3, 4])
  })

  it('makes its group again when a stream was deleted, and keeps the shard', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    await store(producer, [batch(1)])
    await leaseAll(shard)
    await admin.del(`{${options.queueName}:0}:normal`)
    await store(producer, [batch(2)])
    assert.deepEqual(seqs(await shard.lease(ALL, 5000)), [2])
    assert.equal(await shard.renew(), true)
  })

  it('leaves no groups behind, however often the owner changes', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const streams = await Promise.all(['a', 'b'].map((name) => keep(openBatchStream(options, `holder-${name}`))))
    for (let round = 0; round < 6; round++) await ownWhenFree(streams[round % 2], 0, 20)
    for (const priority of ['high', 'normal', 'low']) {
      assert.equal(((await admin.xinfo('GROUPS', `{${options.queueName}:0}:${priority}`)) as unknown[]).length, 1)
    }
  })

  it('forgets the high waters of old epochs only when there are very many', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    await store(
      producer,
      numbers(1, 1030).map((epoch) => batch(1, { epoch: 1.7e15 + epoch })),
    )
    await store(producer, [batch(1, { producer: 'hub-2#r0', epoch: 5 })])
    owned(await stream.own(0, LEASE_MS))
    const fields = await admin.hkeys(`{${options.queueName}:0}:hwm`)
    const kept = numbers(1023, 1030).map((epoch) => `hub-1.r0#${1.7e15 + epoch}`)
    assert.deepEqual(fields.sort(), [...kept, 'hub-2#r0#5'].sort())
  })
})

/** Clients of the server that wait in a blocking command. */
async function blockedClients(port: number): Promise<number> {
  const admin = await adminOf(port)
  const info = await admin.info('clients')
  admin.disconnect()
  return Number(/blocked_clients:(\d+)/.exec(info)?.[1])
}
