import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import { openBatchProducer, openBatchStream, openPressureSignal } from '#core/transport/redis/redis-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'
import { testPressureSignal } from '#test/conformance/pressure-suite'
import { startRedis } from '#test/support/redis-server'

const redis = await startRedis()
after(() => redis.stop())

testBatchStream('Redis', async () => {
  const connection = { host: '127.0.0.1', port: redis.port, queueName: `test:${randomUUID()}`, commandTimeoutMs: 2000 }
  return {
    openProducer: (shards) => openBatchProducer({ ...connection, shards }),
    openStream: (holder, shards) => openBatchStream({ ...connection, shards }, holder),
    remove: async () => {},
  }
})

testPressureSignal('Redis', () => {
  const connection = { host: '127.0.0.1', port: redis.port, queueName: 'test:pressure', commandTimeoutMs: 2000 }
  return openPressureSignal({ ...connection, shards: 1 })
})
