import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import {
  openBatchProducer,
  openBatchStream,
  openBatchTracer,
  openDeadLetterBox,
} from '#core/transport/redis/redis-stream'
import { testDeadLetters } from '#test/conformance/dead-letter-suite'
import { startRedis } from '#test/support/redis-server'

const redis = await startRedis()
after(() => redis.stop())

testDeadLetters('dead letters on Redis', async (deadLetters) => {
  const connection = { host: '127.0.0.1', port: redis.port, queueName: `test:${randomUUID()}`, commandTimeoutMs: 2000 }
  const options = { ...connection, deadLetters }
  return {
    openProducer: (shards) => openBatchProducer({ ...options, shards }),
    openStream: (holder, shards) => openBatchStream({ ...options, shards }, holder),
    openDeadLetterBox: (shards) => openDeadLetterBox({ ...options, shards }),
    openBatchTracer: (shards) => openBatchTracer({ ...options, shards }),
    remove: async () => {},
  }
})
