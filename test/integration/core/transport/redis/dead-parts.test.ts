import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { shardKeys } from '#core/transport/redis/keyspace'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { startRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { batch, leaseAll, owned, settlement, store } from '../../../../conformance/batch-stream-fixture.js'

describe('dead letters in Redis', () => {
  const keep = keepUntilEnd()

  it('that are parts of a batch have their own body, samples and correlation id, and the rest of the batch', async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port)
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const admin = await keep(adminOf(redis.port))
    await store(producer, [batch(1, { handler: 'my.handler', priority: 0 })])
    const shard = owned(await stream.own(0, 60_000))
    const [{ id, priority, correlationId }] = await leaseAll(shard)
    const part = { correlationId: `${correlationId}#7`, samples: 1, firstTakenAtUs: 77, body: Uint8Array.of(0, 255, 7) }
    const deadLetter = [{ id, priority, class: 'handler-error', message: 'Sample 7 of 10', part }]
    assert.deepEqual(await shard.settle(settlement({ deadLetter })), { kind: 'settled' })
    const { dead, deadBodies } = shardKeys(`${options.queueName}:0`)
    const letters = await admin.xrangeBuffer(dead, '-', '+')
    assert.equal(letters.length, 1)
    const [[streamId, flat]] = letters
    const fields = new Map<string, Buffer>()
    for (let i = 0; i < flat.length; i += 2) {
      assert.ok(!fields.has(String(flat[i])), `${flat[i]} is there once`)
      fields.set(String(flat[i]), flat[i + 1])
    }
    assert.equal(fields.get('b'), undefined)
    assert.deepEqual(await admin.hgetBuffer(deadBodies, String(streamId)), Buffer.of(0, 255, 7))
    const text = Object.fromEntries([...fields].map(([name, value]) => [name, value.toString()]))
    const { x, m, p, a, d, c, n, t, h } = text
    assert.deepEqual(
      { x, m, p, a, d, c, n, t, h },
      {
        ...{ x: 'handler-error', m: 'Sample 7 of 10', p: '0', a: '0', d: '1' },
        ...{ c: `${correlationId}#7`, n: '1', t: '77', h: 'my.handler' },
      },
    )
  })
})
