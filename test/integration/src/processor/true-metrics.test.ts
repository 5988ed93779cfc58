import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { Redis } from 'ioredis'
import { shardKeys } from '#core/transport/redis/keyspace'
import { openBatchProducer } from '#core/transport/redis/redis-stream'
import { until } from '#test/conformance/batch-stream-fixture'
import { startRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { repositoryFile } from '#test/support/repository'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

const BATCHES = 24
const SAMPLES = 5
const IN_FLIGHT = 8
/** Of the one run that holds {@link IN_FLIGHT}: everything stands still for so long. */
const RUN_MS = 4000
const HEAD_AGE_ERROR_S = 1

const root = await temporaryDirectory('true-metrics')

/** Values by name and labels, as they stand in the text. */
async function scrape(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]))
}

const samplesOf = (metrics: ReadonlyMap<string, number>, outcome: string) =>
  metrics.get(`processor_samples_total{outcome="${outcome}"}`)!

/** What was leased has come to one of its ends, or is in flight: in every scrape, whenever it is made. */
function assertBalanced(metrics: ReadonlyMap<string, number>): void {
  const ends = ['settled', 'dead_lettered', 'retried', 'released'].map((outcome) => samplesOf(metrics, outcome))
  const inFlight = metrics.get('processor_samples_in_flight')!
  assert.equal(
    samplesOf(metrics, 'leased'),
    ends.reduce((sum, count) => sum + count, inFlight),
  )
  assert.equal(metrics.get('processor_ledger_imbalance_samples'), 0)
}

describe('the metrics of a processor', () => {
  const keep = keepUntilEnd()

  it('say what Redis says, within one scrape and at rest to the sample (scenario 34)', async () => {
    const redis = await keep(startRedis())
    const admin: Redis = await keep(adminOf(redis.port))
    const options = queueAt(redis.port, { shards: 1 })
    const feed = new TelemetryFeed(await keep(openBatchProducer(options)), 1)
    const config = join(root, 'processor.yaml')
    const module = repositoryFile('test/fixtures/handlers/effect.mjs')
    const effect = `{ type: test.effect, module: ${module}, directory: ${root}, busy_ms: ${RUN_MS / IN_FLIGHT} }`
    const pool = `worker_pool: { max_queue_size: ${IN_FLIGHT} }\n`
    await writeFile(config, `handlers: [{ type: telemetry.analyze }, ${effect}]\nstore: { shards: 1 }\n${pool}`)
    for (let i = 0; i < BATCHES; i++) await feed.append(SAMPLES)
    const hopeless = feed.seal(0, Uint8Array.of(1, 2, 3), 7)
    await (await keep(openBatchProducer(options))).append([{ ...hopeless, producer: 'hopeless', seq: 1 }])
    const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, QUEUE_NAME: options.queueName, TELEMETRY_DATA: root }
    const processor = runProcessor(['--config', config], env)
    await keep({ stop: () => processor.kill() })
    const url = await processor.ready()
    const { streams, owner } = shardKeys(`${options.queueName}:0`)
    const key = streams[1]

    let compared = 0
    while ((await admin.xlen(key)) > 0) {
      const before = await heldBy(admin, key, owner)
      const metrics = await scrape(url)
      const scrapedMs = Date.now()
      assertBalanced(metrics)
      const after = await heldBy(admin, key, owner)
      const isStill = JSON.stringify(before) === JSON.stringify(after)
      const isLookedAt = metrics.get('processor_queue_depth') === before.entries
      // A figure of half a second ago may be of before the last settlement: then it is looked at again.
      if (!isStill || !isLookedAt || before.pending !== IN_FLIGHT || before.headMs === undefined) continue
      assert.equal(metrics.get('processor_inflight_tasks'), before.pending)
      const waiting = metrics.get('processor_queue_depth')! - metrics.get('processor_inflight_tasks')!
      assert.equal(waiting, before.entries - before.pending)
      const ageS = (scrapedMs - before.headMs) / 1000
      const saidS = metrics.get('processor_lag_seconds')!
      assert.ok(Math.abs(ageS - saidS) <= HEAD_AGE_ERROR_S, `head age ${ageS} s, said to be ${saidS} s`)
      compared++
    }
    assert.ok(compared >= 10, `${compared} scrapes`)

    let rest = await scrape(url)
    await until('the last look at the depth', async () => {
      rest = await scrape(url)
      return rest.get('processor_queue_depth') === 0 && rest.get('processor_dead_letters') === 1
    })
    assertBalanced(rest)
    assert.equal(samplesOf(rest, 'settled'), BATCHES * SAMPLES)
    assert.equal(samplesOf(rest, 'dead_lettered'), 7)
    assert.equal(samplesOf(rest, 'retried') + samplesOf(rest, 'released'), 0)
    assert.equal(rest.get('processor_samples_in_flight'), 0)
    assert.equal(rest.get('telemetry_tasks_processed_total'), BATCHES * SAMPLES)
    assert.equal(rest.get('telemetry_tasks_failed_total'), 7)
    assert.equal(rest.get('processor_lag_seconds'), 0)
  })
})

interface Held {
  entries: number
  /** Handed out and not settled. */
  pending: number
  headMs: number | undefined
}

async function heldBy(admin: Redis, key: string, owner: string): Promise<Held> {
  const [token, group] = await admin.hmget(owner, 'token', 'group')
  const [pending] = (await admin.xpending(key, `g${token}.${group ?? 0}`).catch(() => [0])) as [number]
  const [head] = await admin.xrange(key, '-', '+', 'COUNT', 1)
  return { entries: await admin.xlen(key), pending, headMs: head && Number.parseInt(head[0], 10) }
}
