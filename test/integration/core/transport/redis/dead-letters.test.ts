import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { UNGROUPED } from '#core/transport/dead-letters'
import { shardKeys } from '#core/transport/redis/keyspace'
import { openBatchProducer, openBatchStream, openDeadLetterBox } from '#core/transport/redis/redis-stream'
import { batch, owned, seqs, store } from '#test/conformance/batch-stream-fixture'
import { allLetters, die, leaseOne } from '#test/conformance/dead-letters/dead-letter-fixture'
import { startRedis } from '#test/support/redis-server'
import { adminOf, codeOf, keepUntilEnd, queueAt } from '#test/support/redis-store'

const redis = await startRedis()
after(() => redis.stop())

describe('dead letters on Redis', () => {
  const keep = keepUntilEnd()

  it('of earlier versions, without a fingerprint and with their body in the stream, are listed, replayed and purged', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const { dead } = shardKeys(`${options.queueName}:1`)
    const body = Buffer.from([1, 0xff, 3])
    for (let seq = 1; seq <= 3; seq++) {
      const former = ['x', 'TLM_TASK_INVALID', 'm', 'no handler', 'p', '2', 'o', '1-0', 'a', '3', 'd', '4']
      await admin.xadd(dead, '*', ...former, 'c', `hub.1.1.${seq}`, 'h', '*', 'n', '7', 't', '1700', 'b', body)
    }
    const box = await keep(openDeadLetterBox(options))
    const letters = await allLetters(box)
    assert.deepEqual(
      letters.map(({ id, diedAtMs, ...rest }) => rest),
      [1, 2, 3].map((seq) => ({
        ...{ shard: 1, class: 'TLM_TASK_INVALID', message: 'no handler', fingerprint: UNGROUPED },
        ...{ correlationId: `hub.1.1.${seq}`, handler: '*', priority: 2, attempts: 3, deliveries: 4, generation: 0 },
        ...{ samples: 7, bytes: 3, firstTakenAtUs: 1700, holder: undefined },
      })),
    )
    assert.deepEqual(await allLetters(box, { filter: { fingerprint: UNGROUPED, class: 'TLM_TASK_INVALID' } }), letters)
    const [group] = await box.groups(5)
    assert.deepEqual([group.fingerprint, group.count], [UNGROUPED, 3])
    assert.deepEqual([...((await box.get(letters[0].id))?.body ?? [])], [...body])
    assert.deepEqual(await box.replay([letters[1].id], 3), ['replayed'])
    assert.equal(await box.purge([letters[0].id]), 1)
    const stream = await keep(openBatchStream(options, 'owner'))
    const entry = await leaseOne(owned(await stream.own(1, 60_000)))
    assert.deepEqual([seqs([entry]), entry.priority, entry.attempts, [...entry.body]], [[2], 2, 0, [...body]])
    assert.deepEqual([(await stream.depths())[1].deadLetters, (await box.groups(5))[0].count], [1, 1])
  })

  it('stay where they are while memory is full, and can be purged', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const stream = await keep(openBatchStream(options, 'owner'))
    await store(await keep(openBatchProducer(options)), [batch(1), batch(2)])
    const shard = owned(await stream.own(0, 60_000))
    await die(shard, await leaseOne(shard))
    await die(shard, await leaseOne(shard))
    const box = await keep(openDeadLetterBox(options))
    const [one, two] = await allLetters(box)
    await admin.config('SET', 'maxmemory', '1')
    try {
      assert.equal(await codeOf(box.replay([one.id], 3)), 'TLM_STREAM_UNAVAILABLE')
      assert.equal((await allLetters(box)).length, 2)
      assert.equal(await box.purge([two.id]), 1)
    } finally {
      await admin.config('SET', 'maxmemory', '512mb')
    }
    assert.deepEqual(await box.replay([one.id], 3), ['replayed'])
  })

  it('are left alone when a key is something else', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const stream = await keep(openBatchStream(options, 'owner'))
    await store(await keep(openBatchProducer(options)), [batch(1)])
    const shard = owned(await stream.own(0, 60_000))
    await die(shard, await leaseOne(shard))
    const box = await keep(openDeadLetterBox(options))
    const [{ id }] = await allLetters(box)
    await admin.set(shardKeys(`${options.queueName}:0`).streams[2], 'no stream')
    assert.equal(await codeOf(box.replay([id], 3)), 'TLM_STREAM_MISCONFIGURED')
    assert.equal((await allLetters(box)).length, 1)
  })

  it('are found again after Redis was killed and started', async () => {
    const options = queueAt(redis.port)
    const box = await keep(openDeadLetterBox(options))
    const admin = await keep(adminOf(redis.port))
    await admin.xadd(shardKeys(`${options.queueName}:0`).dead, '*', 'x', 'test', 'm', '', 'c', 'hub.1.0.1', 'b', 'x')
    await admin.config('SET', 'appendfsync', 'always')
    await admin.xadd(shardKeys(`${options.queueName}:0`).dead, '*', 'x', 'test', 'm', '', 'c', 'hub.1.0.2', 'b', 'x')
    assert.equal((await allLetters(box)).length, 2)
    await redis.restart()
    await codeOf(box.totals())
    assert.equal((await allLetters(box)).length, 2)
  })
})
