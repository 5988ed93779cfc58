import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'
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
