import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { openListPublisher } from '#core/transport/redis/list-publisher'
import { numbers } from '#test/conformance/batch-stream-fixture'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'

const tasks = (from: number, to: number) => numbers(from, to).map((n) => `{"id":${n}}`)

describe('publishing tasks to a plain list', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()

  it('pushes text and bytes to the end, in the order of the calls', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const publisher = await keep(openListPublisher(options))
    const calls = [publisher.push(tasks(1, 1200)), publisher.push([Buffer.from('bytes')]), publisher.push([])]
    assert.deepEqual(await Promise.all(calls), [{ pushed: 1200 }, { pushed: 1 }, { pushed: 0 }])
    assert.deepEqual(await admin.lrange(options.queueName, 0, -1), [...tasks(1, 1200), 'bytes'])
  })

  it('says that it is misconfigured when the key holds something else', async () => {
    const options = queueAt(redis.port)
    const admin = await keep(adminOf(redis.port))
    const publisher = await keep(openListPublisher(options))
    await admin.hset(options.queueName, 'in', 'the way')
    const { pushed, failure } = await publisher.push(tasks(1, 2))
    assert.equal(pushed, 0)
    assert.equal(failure?.kind === 'refused' && failure.reason, 'misconfigured')
    assert.match(failure!.message, /WRONGTYPE.*Fix: delete or rename the key/)
  })

  it('says that memory is full, and pushes again when it is not', async () => {
    const full = await keep(startRedis(['--maxmemory', '10mb']))
    const options = queueAt(full.port)
    const admin = await keep(adminOf(full.port))
    const publisher = await keep(openListPublisher(options))
    const many = Array.from({ length: 10 }, () => 'x'.repeat(100_000))
    let result = await publisher.push(many)
    for (let i = 0; i < 20 && result.failure === undefined; i++) result = await publisher.push(many)
    assert.equal(result.failure?.kind === 'refused' && result.failure.reason, 'full')
    await admin.del(options.queueName)
    assert.deepEqual(await publisher.push(many), { pushed: 10 })
  })

  it('says that Redis is unavailable, and pushes again after it is back', async () => {
    const own = await keep(startRedis())
    const options = queueAt(own.port, { commandTimeoutMs: 300 })
    const publisher = await keep(openListPublisher(options))
    await own.kill()
    const { failure } = await publisher.push(tasks(1, 2))
    assert.equal(failure?.kind, 'unavailable')
    await own.restart()
    assert.deepEqual(await publisher.push(tasks(1, 2)), { pushed: 2 })
  })
})
