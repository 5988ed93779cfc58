import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FaultyStore } from '#test/support/faulty-store'
import { ShardRig } from '#test/support/shard-rig'
import { savedSum, valueBatch } from '#test/support/summing-pool'

const SHARDS = 8
const rigs: ShardRig[] = []

function join(store: FaultyStore, holder: string, leaseMs = 5000): ShardRig {
  const rig = new ShardRig(store, { leaseMs, checkpoint: { intervalMs: 10, maxEntries: 5 } }, holder)
  rigs.push(rig)
  rig.balancer.start()
  return rig
}

function owned(...members: ShardRig[]): number[] {
  return members.map(({ balancer }) => balancer.running.size)
}

function owners({ shards }: FaultyStore): (string | undefined)[] {
  return shards.map(({ owner }) => owner)
}

afterEach(async () => {
  await Promise.all(rigs.splice(0).map((rig) => rig.balancer.stop()))
})

describe('the balancing of shards', () => {
  it('gives a processor that is alone all of them', async () => {
    const a = join(new FaultyStore(SHARDS), 'a')
    await a.until('all owned', () => owned(a)[0] === SHARDS)
  })

  it('moves only what a joining member is due, and back when it leaves, at once', async () => {
    const store = new FaultyStore(SHARDS)
    const a = join(store, 'a')
    await a.until('all owned', () => owned(a)[0] === SHARDS)
    const tokens = store.shards.map(({ token }) => token)
    const b = join(store, 'b')
    const c = join(store, 'c')
    await a.until('all have their share', () => String(owned(a, b, c)) === '3,3,2')
    await a.until('each shard has an owner', () => owners(store).every((owner) => owner !== undefined))
    const moved = store.shards.filter(({ token }, shard) => token > tokens[shard] + 2)
    assert.deepEqual(moved, [], 'a shard moved more than once')
    const leftMs = performance.now()
    await Promise.all([b.balancer.stop(), c.balancer.stop()])
    await a.until('all owned again', () => owned(a)[0] === SHARDS)
    assert.ok(performance.now() - leftMs < 3000, 'longer than a lease')
  })

  it('does not move anything while nobody comes or goes', async () => {
    const store = new FaultyStore(SHARDS)
    const members = [join(store, 'a', 400), join(store, 'b', 400), join(store, 'c', 400)]
    await members[0].until('all have their share', () => String(owned(...members)) === '3,3,2')
    const before = store.shards.map(({ token }) => token)
    const sinceMs = performance.now()
    await members[0].until('many rounds have passed', () => performance.now() - sinceMs > 1500)
    assert.deepEqual(
      store.shards.map(({ token }) => token),
      before,
    )
  })

  it('takes over from a member that died when its lease ends, not before', async () => {
    const store = new FaultyStore(SHARDS)
    const nowMs = performance.now()
    store.members.set('dead', nowMs + 400)
    for (const shard of store.shards.slice(0, 4))
      Object.assign(shard, { owner: 'dead', untilMs: nowMs + 400, token: 1 })
    const a = join(store, 'a', 400)
    await a.until('all owned', () => owned(a)[0] === SHARDS)
    const tookMs = performance.now() - nowMs
    assert.ok(tookMs > 390 && tookMs < 1500, `${tookMs} ms`)
  })

  it('keeps every entry exactly once through joins, leaves and deaths', async () => {
    const store = new FaultyStore(SHARDS)
    const total = 2000
    let appended = 0
    const append = (count: number) => {
      for (let i = 0; i < count; i++, appended++) store.append(valueBatch(appended % SHARDS, appended, appended))
    }
    append(200)
    let members = [join(store, 'm0', 200)]
    for (let round = 1; round <= 12; round++) {
      append((total - 200) / 12)
      members.push(join(store, `m${round}`, 200))
      await members[0].until('somebody works', () => members.some(({ pool }) => pool.runs.length > 0))
      const [leaving] = members
      members = members.slice(1)
      if (round % 2 === 0) leaving.balancer.abandon()
      await leaving.balancer.stop()
      assert.equal(leaving.imbalance, 0)
    }
    await members[0].until('all settled', () => store.unsettled === 0, 20_000)
    const sums = store.shards.map(({ state }) => savedSum(state))
    assert.equal(
      sums.reduce((sum, { count }) => sum + count, 0),
      total,
    )
    assert.equal(
      sums.reduce((all, { sum }) => all + sum, 0),
      (total * (total - 1)) / 2,
    )
  })
})
