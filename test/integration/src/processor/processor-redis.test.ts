import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { Redis } from 'ioredis'
import type { ProcessorFigures } from '#src/processor/processor-figures'
import { fetchFindings } from '#test/support/findings-api'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { TestProgram } from '#test/support/test-program'

/** The task of the seed document, to the letter. */
const SEED_TASK = `{
  "id": "550e8400-e29b-41d4-a716-446655440000",
  "type": "telemetry.analyze",
  "payload": {
    "device_id": "sensor_001",
    "timestamp": "2025-12-26T10:30:00Z",
    "temperature": 23.5,
    "humidity": 65.2,
    "pressure": 1013.25,
    "raw_data": "base64_encoded_sensor_data"
  },
  "priority": "NORMAL",
  "max_retries": 3
}`

const root = await temporaryDirectory('processor-redis')

describe('node dist/processor.js with nothing but REDIS_HOST, REDIS_PORT and NUM_WORKERS', () => {
  let redis: TestRedis
  let client: Redis
  const programs: TestProgram<ProcessorFigures>[] = []
  before(async () => {
    redis = await startRedis()
    client = new Redis(redis.port)
  })
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.kill()))
    await client.flushall()
  })
  after(async () => {
    client.disconnect()
    await redis.stop()
  })

  function start(): TestProgram<ProcessorFigures> {
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), NUM_WORKERS: '1' }
    const program = new TestProgram<ProcessorFigures>('processor.js', [], env, root)
    programs.push(program)
    return program
  }

  it("turns the seed's task into findings", async () => {
    const processor = start()
    const url = await processor.ready()
    await client.rpush('telemetry:tasks', SEED_TASK)
    await processor.reaches('the findings', ({ findings }) => findings.written >= 3)
    const findings = await fetchFindings(url, { handler: 'telemetry.analyze', device: 'sensor_001' })
    const means = Object.fromEntries(findings.map(({ channel, body }) => [channel, body.mean]))
    assert.deepEqual(means, { temperature: 23.5, humidity: 65.2, pressure: 1013.25 })
    assert.equal(findings[0].atUs, Date.parse('2025-12-26T10:30:00Z') * 1000)
    await processor.reaches('settled', ({ ledger }) => ledger.settled === 3 && ledger.inFlight === 0)
    await processor.stop()
  })

  it('puts each task with a field missing or wrong into telemetry:dlq with the reason, and goes on with the rest', async () => {
    const task = JSON.parse(SEED_TASK) as Record<string, unknown> & { payload: Record<string, unknown> }
    const bad: [string, RegExp][] = [
      ['no JSON at all', /JSON|msgpack/i],
      ['', /empty|JSON/i],
      [JSON.stringify({ ...task, type: undefined }), /type/],
      [JSON.stringify({ ...task, type: 7 }), /type/],
      [JSON.stringify({ ...task, payload: undefined }), /payload/],
      [JSON.stringify({ ...task, payload: { ...task.payload, device_id: undefined } }), /device_id/],
      [
        JSON.stringify({ ...task, payload: { device_id: 'x', timestamp: task.payload.timestamp } }),
        /payload|channel|value/,
      ],
      [JSON.stringify({ ...task, payload: { ...task.payload, timestamp: 'yesterday' } }), /timestamp/],
      [JSON.stringify({ ...task, priority: 'URGENT' }), /priority/],
      [JSON.stringify({ ...task, max_retries: -1 }), /max_retries/],
    ]
    const good = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ ...task, payload: { ...task.payload, device_id: 'sensor_002', temperature: i } }),
    )
    for (const [i, text] of good.entries()) await client.rpush('telemetry:tasks', bad[i]?.[0] ?? 'null', text)
    const processor = start()
    const url = await processor.ready()
    await processor.reaches('the good ones', ({ ledger }) => ledger.settled === good.length * 3)
    const dead = (await client.lrange('telemetry:dlq', 0, -1)).map(
      (text) => JSON.parse(text) as { class: string; message: string; task: string },
    )
    assert.equal(dead.length, good.length)
    for (const [text, reason] of bad) {
      const letter = dead.find((candidate) => candidate.task === text)
      assert.ok(letter, `not in the dead letters: ${text}`)
      assert.equal(letter.class, 'TLM_TASK_INVALID')
      assert.match(letter.message, reason)
    }
    const [temperature] = await fetchFindings(url, { device: 'sensor_002', channel: 'temperature' })
    assert.equal(temperature.body.count, good.length)
    assert.equal(await client.llen('telemetry:tasks'), 0)
    await processor.stop()
  })

  it('shares the shards with a second one on the same host, each on a port of its own', async () => {
    const [a, b] = [start(), start()]
    const urls = await Promise.all([a.ready(), b.ready()])
    assert.notEqual(urls[0], urls[1])
    await Promise.all([a, b].map((program) => program.reaches('its half', ({ shardsOwned }) => shardsOwned === 4)))
    await a.stop()
    await b.reaches('all', ({ shardsOwned }) => shardsOwned === 8)
    await b.stop()
  })
})

describe('a processor whose Redis is away', () => {
  it('starts, says so, begins when it comes, and survives it going again', async () => {
    const redis = await startRedis()
    await redis.kill()
    const data = join(root, 'away')
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), TELEMETRY_DATA: data }
    const processor = new TestProgram<ProcessorFigures>('processor.js', ['--port', '0'], env)
    const url = await processor.ready()
    const health = async () => {
      const response = await fetch(`${url}/health`)
      return [response.status, ((await response.json()) as { reason?: string }).reason]
    }
    assert.deepEqual(await health(), [503, 'store'])
    await redis.restart()
    await processor.reaches('it owns shards', ({ shardsOwned, isStoreUp }) => shardsOwned === 8 && isStoreUp)
    assert.deepEqual(await health(), [200, undefined])
    await redis.kill()
    await processor.reaches('it sees it', ({ isStoreUp }) => !isStoreUp)
    await redis.restart()
    const client = new Redis(redis.port)
    await client.rpush('telemetry:tasks', SEED_TASK)
    await processor.reaches('it works again', ({ ledger }) => ledger.settled === 3)
    client.disconnect()
    await processor.stop()
    await redis.stop()
  })
})
