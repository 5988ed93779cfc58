import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { BatchProducer, OwnedShard } from '#core/transport/batch-stream'
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
} from '#test/conformance/batch-stream-fixture'
import { persistently, processInOrder } from '#test/support/in-order-processor'
import { startRedis } from '#test/support/redis-server'
import { adminOf, appendUntilStored, codeOf, keepUntilEnd, queueAt } from '#test/support/redis-store'

const LEASE_MS = 60_000
/** A long run sets `TELEMETRY_OWNERS`. */
const OWNERS = Number(process.env.TELEMETRY_OWNERS ?? 200)

/** What is under way on some connections counts as memory, too, and is not small beside so low a limit. */
const BUFFER_BYTES = 6 * 2 ** 20

describe('Redis in hard times', () => {
  const keep = keepUntilEnd()

  it('never refuses a settlement while three producers push twice what is consumed into full memory (scenario 18)', async () => {
    const limit = 24 * 2 ** 20
    const redis = await keep(startRedis(['--maxmemory', String(limit)]))
    const options = queueAt(redis.port, { shards: 1 })
    const admin = await keep(adminOf(redis.port))
    const body = new Uint8Array(65_300).fill(7)
    const each = 500
    const refusals = { full: 0, other: 0 }
    let peak = 0
    const stream = await keep(openBatchStream(options, 'holder'))
    const shard = owned(await stream.own(0, LEASE_MS))
    const produce = async (producer: string) => {
      const link: BatchProducer = await keep(openBatchProducer(options))
      for (let seq = 1; seq <= each; ) {
        const [outcome] = await link.append([batch(seq, { producer, body })])
        if (outcome.kind === 'stored') seq++
        else if (outcome.kind === 'refused' && outcome.reason === 'full') {
          refusals.full++
          await setTimeout(5)
        } else refusals.other++
      }
    }
    const consume = async () => {
      const last = new Map<string, number>()
      for (let settled = 0; settled < 3 * each; ) {
        const entries = await shard.lease({ maxEntries: 8, maxBytes: 1e9 }, 1000)
        for (const { correlationId } of entries) {
          const [, producer, seq] = /^(.*?)\..*\.(\d+)$/.exec(correlationId)!
          assert.equal(Number(seq), (last.get(producer) ?? 0) + 1, 'in the order of its producer')
          last.set(producer, Number(seq))
        }
        const state = new Map([['row', new Uint8Array(1000)]])
        const end = settlement({ ack: entries.map(({ id }) => id), state })
        assert.deepEqual(await shard.settle(end), { kind: 'settled' })
        settled += entries.length
        peak = Math.max(peak, Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]))
        // Consumers take half of what comes, until producers have to wait for them.
        await setTimeout(4)
      }
    }
    await Promise.all([produce('a'), produce('b'), produce('c'), consume()])
    assert.ok(refusals.full > 10, `${refusals.full} refusals`)
    assert.equal(refusals.other, 0)
    assert.ok(peak <= limit * 1.05 + BUFFER_BYTES, `${peak} bytes of ${limit}`)
    assert.ok(peak > limit * 0.9, 'memory was full')
  })

  it(`keeps neither consumers nor groups nor connections of ${OWNERS} owners that came and went (scenario 30)`, async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { shards: 1 })
    const admin = await keep(adminOf(redis.port))
    await store(await keep(openBatchProducer(options)), batches(1, 5))
    for (let restart = 0; restart < OWNERS; restart++) {
      const stream = await openBatchStream(options, `holder-${restart}`)
      const shard: OwnedShard = await ownWhenFree(stream, 0, 5)
      // Half of them die with work in hand, half leave in order.
      await shard.lease(ALL, 0)
      if (restart % 2 === 0) await shard.release()
      await stream.close()
    }
    for (const priority of ['high', 'normal', 'low']) {
      const key = `{${options.queueName}:0}:${priority}`
      const groups = (await admin.call('XINFO', 'GROUPS', key)) as unknown[][]
      assert.ok(groups.length <= 1, `${groups.length} groups`)
      for (const group of groups) {
        assert.ok(((await admin.call('XINFO', 'CONSUMERS', key, String(group[1]))) as unknown[]).length <= 1)
      }
    }
    const stream = await keep(openBatchStream(options, 'last'))
    const entries = await leaseAll(await ownWhenFree(stream))
    assert.deepEqual(
      entries.map(({ deliveryCount }) => deliveryCount),
      numbers(1, 5).map(() => OWNERS + 1),
      'every delivery was counted',
    )
    const clients = ((await admin.call('CLIENT', 'LIST')) as string).match(/name=telemetryhub:/g)
    assert.ok(clients !== null && clients.length <= 4, `${clients?.length} connections`)
  })

  it('fences owners of before and hands out their work once more after it was away for three leases (scenario 31)', async () => {
    const leaseMs = 500
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { shards: 1, commandTimeoutMs: 300 })
    await store(await keep(openBatchProducer(options)), batches(1, 4))
    const stream = await keep(openBatchStream(options, 'holder'))
    const shard = owned(await stream.own(0, leaseMs))
    const first = await leaseAll(shard)
    await ack(shard, first.slice(0, 2))
    await redis.kill()
    await setTimeout(3 * leaseMs)
    await redis.restart()
    // It may have lost the latest of what it had confirmed, so ownership does not outlive it: the work in hand of the former owner is fenced, not done twice.
    const late = await persistently(() => shard.settle(settlement({ ack: first.slice(2).map(({ id }) => id) })))
    assert.deepEqual(late, { kind: 'fenced' })
    const next = await ownWhenFree(stream)
    const again = await leaseAll(next)
    assert.deepEqual(seqs(again), [3, 4])
    assert.deepEqual(
      again.map(({ deliveryCount }) => deliveryCount),
      [2, 2],
    )
  })

  it('leaves no socket and no promise behind when its clients are killed every 50 ms (scenario 12)', async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { commandTimeoutMs: 1000, shards: 1 })
    const admin = await keep(adminOf(redis.port))
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    let isOver = false
    const calls = { made: 0, ended: 0 }
    const counted = <T>(call: Promise<T>): Promise<T> => {
      calls.made++
      call.then(
        () => calls.ended++,
        () => calls.ended++,
      )
      return call
    }
    let mostSockets = 0
    const nemesis = (async () => {
      while (!isOver) {
        await admin.call('CLIENT', 'KILL', 'TYPE', 'normal').catch(() => {})
        mostSockets = Math.max(mostSockets, sockets())
        await codeOf(counted(stream.depths()))
        await setTimeout(50)
      }
    })()
    await Promise.all([
      counted(appendUntilStored(producer, batches(1, 4000))),
      counted(processInOrder(stream, 4000, 500)),
    ])
    isOver = true
    await nemesis
    await new Promise(setImmediate)
    assert.equal(calls.ended, calls.made)
    // Producer, stream, reads and the test's own, each with a successor while it closes.
    assert.ok(mostSockets <= 8, `${mostSockets} sockets`)
  })
})

function sockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}
