import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'
import { startCluster } from '#test/support/redis-cluster'

const cluster = await startCluster(3)
after(() => cluster.stop())

testBatchStream('Redis Cluster', async () => {
  // Any node, without a word of its being one of a cluster: that is found out.
  const connection = { ...cluster.seeds[1], queueName: `test:${randomUUID()}`, commandTimeoutMs: 2000 }
  return {
    openProducer: (shards) => openBatchProducer({ ...connection, shards }),
    openStream: (holder, shards) => openBatchStream({ ...connection, shards }, holder),
    remove: async () => {},
  }
})
