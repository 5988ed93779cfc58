import { randomUUID } from 'node:crypto'
import type { NewClient } from '#core/transport/redis/redis-connection'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { testBatchStream } from '#test/conformance/batch-stream-suite'
import { Actor } from '#test/simulation/engine/actor'
import { Coverage } from '#test/simulation/engine/coverage'
import { SeededRandom } from '#test/simulation/engine/seeded-random'
import type { Timeline } from '#test/simulation/engine/timeline'
import { EPOCH_MS } from '#test/simulation/engine/virtual-globals'
import { FaultPlan } from '#test/simulation/network/fault-plan'
import { SimulatedClient } from '#test/simulation/network/simulated-client'
import { ModelRedis } from '#test/simulation/store/model-redis'
import type { StoreWatcher } from '#test/simulation/store/script-call'

/** Time as it passes: the model's server then shows the time of this host. */
const wall: Timeline = {
  get nowMs() {
    return Date.now() - EPOCH_MS
  },
  at(delayMs, actor, label, run) {
    const event = { atMs: this.nowMs + delayMs, order: 0, actor, label, run, isCancelled: false }
    setTimeout(() => {
      if (!event.isCancelled) run()
    }, delayMs)
    return event
  },
  note() {},
}

const nobody: StoreWatcher = {
  appended() {},
  settlementMade() {},
  highWater() {},
  takenOver() {},
  remember() {},
  wentBackTo() {},
}

// What the simulation takes for Redis must behave like one.
testBatchStream('the simulated Redis', async () => {
  const random = new SeededRandom(1)
  const server = new ModelRedis(wall, nobody, 64, new Set())
  const faults = new FaultPlan(random, new Coverage(), [], 0)
  const network = { scheduler: wall, random, server, faults, latencyMs: 1 }
  const actor = new Actor('test')
  const newClient: NewClient = ({ socketTimeout = 2000 }) => {
    return new SimulatedClient(network, actor, socketTimeout) as unknown as ReturnType<NewClient>
  }
  const options = { host: 'model', port: 6379, queueName: `test:${randomUUID()}`, commandTimeoutMs: 2000 }
  return {
    openProducer: (shards) => openBatchProducer({ ...options, shards }, newClient),
    openStream: (holder, shards) => openBatchStream({ ...options, shards }, holder, newClient),
    remove: async () => {},
  }
})
