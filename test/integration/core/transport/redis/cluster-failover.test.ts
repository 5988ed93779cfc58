import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { hashSlot, shardTags } from '#core/transport/redis/hash-slot'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { batches, numbers, until } from '#test/conformance/batch-stream-fixture'
import { processInOrder } from '#test/support/in-order-processor'
import { startCluster, type TestCluster } from '#test/support/redis-cluster'
import { appendUntilStored, keepUntilEnd, queueAt } from '#test/support/redis-store'

const SHARDS = 3
const LAST = 12_000
/** As scenario 17 wants, beyond what the cluster itself needs to replace a master. */
const RECOVERED_MS = 5000

describe('a Redis Cluster whose masters have replicas', () => {
  let cluster: TestCluster
  before(async () => {
    cluster = await startCluster(3, { replicas: 1 })
  })
  after(() => cluster.stop())
  const keep = keepUntilEnd()

  it('goes on with the replica of a master that dies, and of one that freezes and comes back', async () => {
    const options = queueAt(1, { cluster: cluster.seeds, shards: SHARDS, commandTimeoutMs: 500 })
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const done = new Array<number>(SHARDS).fill(0)
    const body = new Uint8Array(1000)
    const shards = numbers(0, SHARDS - 1)
    const work = Promise.all(
      shards.flatMap((shard) => [
        // A hub that has kept everything sends again what a failover lost.
        appendUntilStored(producer, batches(1, LAST, { shard, body })),
        processInOrder(stream, LAST, 1000, { shard, onProgress: (to) => done.splice(shard, 1, to) }),
      ]),
    )
    const failed = work.then(() => new Promise<never>(() => {}))
    for (const promise of [work, failed]) promise.catch(() => {})
    const slots = shardTags(options.queueName, SHARDS, 'spread').map((tag) => hashSlot(tag))

    for (const [round, slot] of slots.slice(0, 2).entries()) {
      await Promise.race([failed, until('work is under way', async () => done[round] >= 300, 60_000)])
      const former = await cluster.holderOf(slot)
      if (round === 0) await former.server.kill()
      else former.server.freeze()
      const others = cluster.nodes.filter((node) => node !== former)
      const replaced = until(
        'a replica takes over',
        async () => (await holderAmong(others, slot)) !== former.port,
        30_000,
      )
      await replaced
      assert.ok(done[round] < LAST, 'work is left')
      const startMs = performance.now()
      const before = [...done]
      const moves = (n: number, shard: number) => n > before[shard] || n === LAST
      await Promise.race([failed, until('all shards move', async () => done.every(moves), 30_000)])
      const recoveredMs = performance.now() - startMs
      assert.ok(recoveredMs < RECOVERED_MS, `all shards after ${recoveredMs} ms`)
      if (round === 0) await former.server.restart()
      // It still takes itself for the master until it hears of the other one.
      else former.server.resume()
    }
    await work
    assert.deepEqual(
      done,
      shards.map(() => LAST),
    )
  })
})

/** Port of the master of a slot, as the first of some nodes says. */
async function holderAmong(nodes: TestCluster['nodes'], slot: number): Promise<number | undefined> {
  for (const { admin } of nodes) {
    const ranges = (await admin.call('CLUSTER', 'SLOTS').catch(() => [])) as [number, number, [string, number]][]
    const range = ranges.find(([from, to]) => slot >= from && slot <= to)
    if (range !== undefined) return range[2][1]
  }
  return undefined
}
