import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { BatchStream } from '#core/transport/batch-stream'
import type { RedisStreamOptions } from '#core/transport/redis/redis-options'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { batch, settlement, store } from '#test/conformance/batch-stream-fixture'
import { persistently } from '#test/support/in-order-processor'
import { SENTINEL_NAME, startSentinels, type TestSentinels } from '#test/support/redis-sentinels'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'

const FAILOVERS = 3
/** As scenario 16 wants, beyond what the sentinels themselves need. */
const GAP_MS = 3000

describe('a primary that sentinels replace', () => {
  let sentinels: TestSentinels
  before(async () => {
    sentinels = await startSentinels(3)
  })
  after(() => sentinels.stop())
  const keep = keepUntilEnd()
  const queue = (options: Partial<RedisStreamOptions> = {}) =>
    queueAt(1, { sentinels: sentinels.addresses, sentinelName: SENTINEL_NAME, commandTimeoutMs: 500, ...options })

  it('is found, also when the first sentinel is away', async () => {
    const [first, ...rest] = sentinels.addresses
    const options = queue({ sentinels: [{ ...first, port: 1 }, ...rest] })
    await store(await keep(openBatchProducer(options)), [batch(1)])
  })

  it('is unavailable under a name that no sentinel knows, and says where it was looked for', async () => {
    await assert.rejects(openBatchProducer(queue({ sentinelName: 'nobody' })), {
      code: 'TLM_STREAM_UNAVAILABLE',
      message: /Redis "nobody" of the sentinels 127\.0\.0\.1:/,
    })
  })

  it('is not taken for a replica that is named directly', async () => {
    const primary = await sentinels.primary()
    const replica = sentinels.servers.find((server) => server !== primary)!
    // The queue is there already: opening it writes nothing.
    const options = queue()
    await keep(openBatchProducer(options))
    await sentinels.replicated()
    const { queueName } = options
    await assert.rejects(openBatchProducer(queueAt(replica.port, { queueName })), {
      code: 'TLM_STREAM_UNAVAILABLE',
      message: /replica.*Fix: name the primary, or set redis.sentinels/,
    })
  })

  it('costs, with every failover, no more than 3 s beyond it, and stores and reads go on by themselves', async () => {
    const options = queue()
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    const flow = startFlow(producer, stream)
    for (let round = 0; round < FAILOVERS; round++) {
      await flow.advances()
      await sentinels.replicated()
      const former = await sentinels.primary()
      // Once frozen, which leaves its sockets open, and otherwise killed.
      if (round === 1) former.freeze()
      else await former.kill()
      const next = await sentinels.replaced(former)
      const startMs = performance.now()
      await flow.advances()
      const gapMs = performance.now() - startMs
      assert.ok(gapMs < GAP_MS, `${gapMs} ms after failover ${round}`)
      const admin = await adminOf(next.port)
      const clients = (await admin.call('CLIENT', 'LIST')) as string
      for (const name of ['producer', 'stream', 'shard-0'])
        assert.match(clients, new RegExp(`name=telemetryhub:${name} `))
      admin.disconnect()
      await sentinels.rejoin(former)
    }
    await flow.stop()
  })
})

/** One producer and one owner that never stop; what an asynchronous failover loses is bridged. */
function startFlow(producer: Awaited<ReturnType<typeof openBatchProducer>>, stream: BatchStream) {
  let isStopping = false
  let stored = 0
  let settled = 0
  const produce = async () => {
    let after: number | undefined
    for (let seq = 1; !isStopping; ) {
      const [outcome] = await producer.append([batch(seq, after === undefined ? {} : { after })])
      after = outcome.kind === 'gap' ? outcome.highWaterSeq : undefined
      if (outcome.kind !== 'stored' && outcome.kind !== 'duplicate') continue
      stored++
      seq++
    }
  }
  const consume = async () => {
    while (!isStopping) {
      const shard = await persistently(() => stream.own(0, 500))
      while (shard !== undefined && !isStopping) {
        const entries = await persistently(() => shard.lease({ maxEntries: 32, maxBytes: 1e6 }, 200))
        if (!(await persistently(() => shard.renew()))) break
        const { kind } = await persistently(() => shard.settle(settlement({ ack: entries.map(({ id }) => id) })))
        if (kind === 'fenced') break
        settled += entries.length
      }
    }
  }
  const work = Promise.all([produce(), consume()])
  work.catch(() => {})
  return {
    /** Resolves once ten more were stored and ten more settled. */
    async advances(): Promise<void> {
      const [toStore, toSettle] = [stored + 10, settled + 10]
      while (stored < toStore || settled < toSettle) await Promise.race([work, new Promise(setImmediate)])
    },
    async stop(): Promise<void> {
      isStopping = true
      await work
    },
  }
}
