import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { SealedBatch } from '#core/transport/batch-stream'
import { hashSlot, shardTags } from '#core/transport/redis/hash-slot'
import { openListPublisher } from '#core/transport/redis/list-publisher'
import type { RedisStreamOptions } from '#core/transport/redis/redis-options'
import { openBatchProducer, openBatchStream, openTaskInbox } from '#core/transport/redis/redis-stream'
import { batch, batches, leaseAll, numbers, owned, seqs, store, until } from '#test/conformance/batch-stream-fixture'
import { persistently, processInOrder } from '#test/support/in-order-processor'
import { type ClusterNode, startCluster, type TestCluster } from '#test/support/redis-cluster'
import { appendUntilStored, keepUntilEnd, queueAt } from '#test/support/redis-store'

const LEASE_MS = 60_000
const SHARDS = 6
/** As scenario 17 wants: after a change of the cluster every shard is worked on again. */
const RECOVERED_MS = 5000
/** A producer, and a processor with its commands and reads. */
const CLIENTS = 2

describe('a Redis Cluster', () => {
  let cluster: TestCluster
  before(async () => {
    cluster = await startCluster(3)
  })
  after(() => cluster.stop())
  const keep = keepUntilEnd()
  const queue = (options: Partial<RedisStreamOptions> = {}) =>
    queueAt(1, { cluster: cluster.seeds, shards: SHARDS, ...options })
  const slotOf = ({ queueName }: RedisStreamOptions, shard: number) =>
    hashSlot(shardTags(queueName, SHARDS, 'spread')[shard])

  it('hashes keys as its nodes do', async () => {
    for (const key of ['telemetry:tasks', '{telemetry:tasks:3~17}:high', 'a{b}{c}', '{}x', 'ümläut', '']) {
      assert.equal(hashSlot(key), await cluster.nodes[0].admin.call('CLUSTER', 'KEYSLOT', key), key)
    }
  })

  it('has the same number of shards of a queue on each master', async () => {
    const options = queue()
    await keep(openBatchProducer(options))
    const holders = await Promise.all(numbers(0, SHARDS - 1).map((shard) => cluster.holderOf(slotOf(options, shard))))
    for (const node of cluster.nodes) {
      assert.equal(holders.filter((holder) => holder === node).length, SHARDS / cluster.nodes.length)
    }
  })

  it('keeps the tags with which a queue was made', async () => {
    const options = queue()
    const holder = await cluster.holderOf(hashSlot(`{${options.queueName}}:meta`))
    await holder.admin.hset(`{${options.queueName}}:meta`, { protocol: 1, shards: SHARDS })
    const producer = await keep(openBatchProducer(options))
    await store(producer, [batch(1, { shard: 3 })])
    const plain = `{${options.queueName}:3}:normal`
    assert.equal(await (await cluster.holderOf(hashSlot(plain))).admin.xlen(plain), 1)
  })

  it('sends each batch of an append to the node of its shard, and answers in the order of the batches', async () => {
    const options = queue()
    const producer = await keep(openBatchProducer(options))
    const mixed = numbers(1, 30).flatMap((seq) => numbers(0, SHARDS - 1).map((shard) => batch(seq, { shard })))
    const outcomes = (await Promise.all([producer.append(mixed.slice(0, 90)), producer.append(mixed.slice(90))])).flat()
    assert.deepEqual(new Set(outcomes.map(({ kind }) => kind)), new Set(['stored']))
    assert.equal(outcomes.length, mixed.length)
    const stream = await keep(openBatchStream(options, 'holder'))
    for (const shard of numbers(0, SHARDS - 1)) {
      assert.deepEqual(seqs(await leaseAll(owned(await stream.own(shard, LEASE_MS)))), numbers(1, 30))
    }
  })

  it('says what to set where it may not be asked and was taken for a single server', async () => {
    const options = queue({ cluster: undefined, username: 'blind', password: 'x' })
    for (const { admin } of cluster.nodes) {
      await admin.acl('SETUSER', 'blind', 'on', '>x', '~*', '+@all', '-info', '-cluster')
    }
    const elsewhere = await cluster.holderOf(hashSlot(`{${options.queueName}}:meta`))
    const wrong = cluster.nodes.find((node) => node !== elsewhere)!
    await assert.rejects(openBatchProducer({ ...options, port: wrong.port }), {
      code: 'TLM_STREAM_MISCONFIGURED',
      message: /MOVED.*Fix: set redis.cluster/,
    })
  })

  it('refuses a database other than 0', async () => {
    await assert.rejects(openBatchProducer(queue({ db: 1 })), { code: 'TLM_OPTIONS_INVALID', message: /db: must be 0/ })
  })

  it('takes pushed tasks in and keeps dead letters in the list of that name, on whatever node it is', async () => {
    const options = queue()
    const publisher = await keep(openListPublisher(options))
    assert.deepEqual(await publisher.push(['one', 'two', 'three']), { pushed: 3 })
    const inbox = await keep(openTaskInbox(options, 'holder'))
    const owner = (await inbox.own(LEASE_MS))!
    const entries = await owner.lease(10, 2000)
    assert.deepEqual(
      entries.map(({ body }) => Buffer.from(body).toString()),
      ['one', 'two', 'three'],
    )
    const [one, two, three] = entries.map(({ id }) => id)
    const deadLetter = [{ id: two, class: 'test', message: 'no task' }]
    assert.deepEqual(await owner.settle({ ack: [one, three], deadLetter }), { kind: 'settled' })
    assert.equal(await inbox.backlog(), 0)
    const { admin } = await cluster.holderOf(hashSlot('test:dlq'))
    const letters = await admin.lrange('test:dlq', 0, -1)
    assert.deepEqual(
      letters.map((json) => (JSON.parse(json) as { task: string }).task),
      ['two'],
    )
  })

  it('loses and doubles nothing while slots of all shards move, and works on all of them within 5 s', async () => {
    const options = queue()
    const load = await startLoad(options, 2000)
    const movedBefore = await redirections(cluster)
    const startMs = performance.now()
    for (const shard of numbers(0, SHARDS - 1)) {
      const slot = slotOf(options, shard)
      const holder = await cluster.holderOf(slot)
      const to = cluster.nodes[(cluster.nodes.indexOf(holder) + 1) % cluster.nodes.length]
      await load.reaches((shard + 1) * 200)
      await cluster.moveSlot(slot, to)
      assert.equal(await cluster.holderOf(slot), to)
    }
    const slowestMs = await load.recovers()
    assert.ok(slowestMs < RECOVERED_MS, `the slowest shard took ${slowestMs} ms`)
    await load.ends()
    const perSecond = ((await redirections(cluster)) - movedBefore) / ((performance.now() - startMs) / 1000)
    assert.ok(perSecond < 10 * CLIENTS, `${perSecond} redirections a second`)
  })

  it('loses and doubles nothing while a master is killed and restarted, and works on all shards within 5 s', async () => {
    const options = queue({ commandTimeoutMs: 500 })
    const load = await startLoad(options, 4000)
    for (const [round, node] of cluster.nodes.entries()) {
      await load.reaches(200 + round * 300)
      await node.server.kill()
      await node.server.restart()
      await servesAll(cluster)
      const slowestMs = await load.recovers()
      assert.ok(slowestMs < RECOVERED_MS, `the slowest shard took ${slowestMs} ms after ${node.port}`)
    }
    await load.ends()
  })

  it('loses and doubles nothing while slots move between masters that are killed, and works on all shards within 5 s', async () => {
    const options = queue({ commandTimeoutMs: 500 })
    const load = await startLoad(options, 4000)
    const movedBefore = await redirections(cluster)
    const startMs = performance.now()
    for (const shard of numbers(0, 2)) {
      const slot = slotOf(options, shard)
      const from = await cluster.holderOf(slot)
      const [to, third] = cluster.nodes.filter((node) => node !== from)
      await load.reaches(200 + shard * 300)
      // In turn the master that gives the slot, the one that gets it, and one that has nothing to do with it.
      const victim = [from, to, third][shard]
      await cluster.moveSlot(slot, to, async () => {
        await victim.server.kill()
        await victim.server.restart()
        await servesAll(cluster)
      })
      await servesAll(cluster)
      assert.equal(await cluster.holderOf(slot), to)
      const slowestMs = await load.recovers()
      assert.ok(slowestMs < RECOVERED_MS, `the slowest shard took ${slowestMs} ms after move ${shard}`)
    }
    const movedMs = performance.now() - startMs
    const moved = (await redirections(cluster)) - movedBefore
    await load.ends()
    assert.ok(moved / (movedMs / 1000) < 10 * CLIENTS, `${moved} redirections in ${movedMs} ms`)
  })

  /** A hub and a processor for every shard, each insisting on order and on exactly-once. */
  async function startLoad(options: RedisStreamOptions, last: number) {
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const done = new Array<number>(SHARDS).fill(0)
    const body = new Uint8Array(2000)
    const shards = numbers(0, SHARDS - 1)
    const toStore = shards.map((shard): SealedBatch[] => batches(1, last, { shard, body }))
    const work = shards.map((shard) =>
      Promise.all([
        appendUntilStored(producer, toStore[shard]),
        processInOrder(stream, last, 1000, { shard, onProgress: (to) => done.splice(shard, 1, to) }),
      ]),
    )
    const all = Promise.all(work)
    const failed = all.then(() => new Promise<never>(() => {}))
    // Both are awaited later: a failure in between belongs to whoever waits then.
    for (const promise of [all, failed]) promise.catch(() => {})
    return {
      ends: () => all,
      /** Also insists that there is work left to disturb. */
      reaches: async (count: number) => {
        const reached = until(`${count} batches of each shard`, async () => done.every((n) => n >= count), 60_000)
        await Promise.race([failed, reached])
        assert.ok(
          done.some((n) => n < last),
          'the load should still run',
        )
      },
      /** How long the slowest shard takes to settle more, or to have settled everything. Milliseconds. */
      recovers: async () => {
        const startMs = performance.now()
        const before = [...done]
        const moves = (n: number, shard: number) => n > before[shard] || n === last
        await Promise.race([failed, until('all shards move', async () => done.every(moves), 30_000)])
        return performance.now() - startMs
      },
    }
  }
})

/** How often nodes have sent a command elsewhere. */
async function redirections({ nodes }: TestCluster): Promise<number> {
  const infos = await Promise.all(nodes.map(({ admin }) => admin.info('errorstats')))
  return infos.reduce((sum, info) => sum + Number(/errorstat_(?:MOVED|ASK):count=(\d+)/.exec(info)?.[1] ?? 0), 0)
}

/** Waits until all nodes say that the cluster serves all slots. */
async function servesAll({ nodes }: TestCluster): Promise<void> {
  const isUp = ({ admin }: ClusterNode) =>
    admin.call('CLUSTER', 'INFO').then(
      (info) => /cluster_state:ok/.test(String(info)),
      () => false,
    )
  await persistently(() =>
    until('the cluster serves', async () => (await Promise.all(nodes.map(isUp))).every(Boolean), 15_000),
  )
}
