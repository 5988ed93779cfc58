import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Redis } from 'ioredis'
import { openPressureSignal } from '#core/transport/redis/redis-stream'
import { streamLocator } from '#src/host/stream-locator'
import { imbalanceOf } from '#src/hub/hub-figures'
import { readBack } from '#test/support/read-back'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-redis')
const UUID = /^[\da-f]{8}-[\da-f]{4}-[1-8][\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/

async function config(name: string, yaml: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, yaml)
  return path
}

describe('the hub with Redis', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())

  const envOf = () => ({ REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port) })
  const locatorOf = (queueName: string) =>
    streamLocator({
      kind: 'redis',
      shards: 8,
      redis: { host: '127.0.0.1', port: redis.port, db: 0, tls: false, queueName, commandTimeoutMs: 2000 },
    })

  it('starts while Redis is down, says so, and delivers all when it comes up', async () => {
    await redis.kill()
    const yaml = 'redis: { queue_name: down-first }\ndevices: { sim: { driver: sim, interval_ms: 2, readings: 500 } }\n'
    const hub = runHub(['--config', await config('down.yaml', yaml)], envOf())
    const url = await hub.ready()
    await hub.reaches('samples wait', ({ ledger, isStoreUp }) => ledger.spooled === 500 && !isStoreUp)
    assert.equal((await fetch(`${url}/health`)).status, 503)
    await redis.restart()
    await hub.reaches('all delivered', ({ ledger }) => ledger.delivered === 500)
    assert.equal((await fetch(`${url}/health`)).status, 200)
    const { ledger } = await hub.stop()
    assert.deepEqual([ledger.accepted, ledger.delivered, ledger.dropped], [500, 500, 0])
    const stored = await readBack(locatorOf('down-first'))
    const [sequences] = stored.sequences.values()
    assert.deepEqual(
      sequences,
      Array.from({ length: 500 }, (_, n) => n),
    )
  })

  it('stores every sample once although Redis is killed and restarted under load', async () => {
    const yaml =
      'redis: { queue_name: restarts }\ndevices: { sim: { driver: sim, samples_per_second: 20000, channels: 4 } }\n'
    const hub = runHub(['--config', await config('restarts.yaml', yaml)], envOf())
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 1000)
    for (let round = 0; round < 3; round++) {
      await redis.kill()
      await hub.reaches('Redis is missed', ({ isStoreUp }) => !isStoreUp)
      await redis.restart()
      const before = hub.figures!.ledger.delivered
      await hub.reaches('samples flow again', ({ ledger }) => ledger.delivered > before + 1000)
    }
    const url = await hub.ready()
    await fetch(`${url}/stop`, { method: 'POST' })
    await hub.reaches('all delivered', ({ ledger }) => ledger.inFlight === 0 && ledger.spooled === 0)
    const { ledger } = await hub.stop()
    const stored = await readBack(locatorOf('restarts'))
    // A killed Redis may lose what it has not synchronised to disk: the hub finds that, sends what it holds again and
    // counts the rest.
    assert.equal(stored.samples, ledger.delivered)
    assert.equal(ledger.accepted, ledger.delivered + ledger.dropped)
    for (const sequences of stored.sequences.values()) {
      for (let n = 1; n < sequences.length; n++) assert.ok(sequences[n] > sequences[n - 1], 'in order, none twice')
    }
  })

  it('names what an operator must change when Redis may evict', async () => {
    const evicting = await startRedis(['--maxmemory-policy', 'allkeys-lru'])
    const hub = runHub([], { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(evicting.port) })
    const url = await hub.ready()
    await hub.reaches('the problem is told', ({ problem }) => /noeviction/.test(problem ?? ''))
    const health = (await (await fetch(`${url}/health`)).json()) as { problem: string }
    assert.match(health.problem, /maxmemory-policy/)
    await hub.stop()
    await evicting.stop()
  })

  it('pushes one task of the shape of the seed per reading in list mode', async () => {
    const yaml = `redis: { mode: list, queue_name: listed }
gateway: { task_type: telemetry.store }
devices:
  roof: { driver: sim, profile: temperature, interval_ms: 1, readings: 300, priority: high }
  boiler: { driver: sim, interval_ms: 1, channels: 100, readings: 200 }
batch: { max_samples: 64 }
`
    const hub = runHub(['--config', await config('list.yaml', yaml)], envOf())
    await hub.reaches('all delivered', ({ ledger }) => ledger.delivered === 20_300)
    const { ledger } = await hub.stop()
    assert.deepEqual([ledger.accepted, ledger.dropped], [20_300, 0])
    const client = new Redis({ port: redis.port })
    const tasks = (await client.lrange('listed', 0, -1)).map((json) => JSON.parse(json))
    await client.quit()
    assert.equal(tasks.length, 500)
    assert.equal(new Set(tasks.map(({ id }) => id)).size, 500)
    for (const task of tasks) {
      assert.deepEqual(Object.keys(task), ['id', 'type', 'payload', 'priority', 'max_retries'])
      assert.match(task.id, UUID)
      assert.equal(task.type, 'telemetry.store')
      assert.equal(task.max_retries, 3)
      assert.match(task.payload.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/)
    }
    const of = (device: string) => tasks.filter(({ payload }) => payload.device_id === device)
    assert.equal(of('roof').length, 300)
    for (const { priority, payload } of of('roof')) {
      assert.equal(priority, 'HIGH')
      assert.equal(typeof payload.temperature, 'number')
    }
    for (const { priority, payload } of of('boiler')) {
      assert.equal(priority, 'NORMAL')
      assert.equal(Object.keys(payload).length, 102, 'a reading is never torn')
    }
    const instants = of('roof').map(({ payload }) => payload.timestamp)
    assert.deepEqual(instants, instants.toSorted(), 'in the order of the device')
  })

  it('gives up what its ladder says while the processors are behind, counts it, and takes it again afterwards', async () => {
    const yaml = `redis: { queue_name: pressed }
backpressure: { red: { low: refuse, normal: thin }, keep_one_in: 5 }
devices:
  vital: { driver: sim, interval_ms: 5, priority: high }
  usual: { driver: sim, interval_ms: 5 }
  bulk: { driver: sim, interval_ms: 5, priority: low }
`
    const options = { host: '127.0.0.1', port: redis.port, queueName: 'pressed', shards: 8, commandTimeoutMs: 2000 }
    const signal = await openPressureSignal(options)
    await signal.write('red', 60_000)
    const hub = runHub(['--config', await config('pressed.yaml', yaml)], envOf())
    const url = await hub.ready()
    const pressed = await hub.reaches('red is seen', ({ pressure, ledger }) => {
      return pressure === 'red' && ledger.droppedBy.thinned > 20 && ledger.droppedBy.refused_by_class > 20
    })
    assert.equal(imbalanceOf(pressed.ledger), 0)
    const body = JSON.stringify({ device_id: 'pushed', temperature: 1, priority: 'LOW' })
    const answer = await fetch(`${url}/telemetry`, { method: 'POST', body })
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.match(await answer.text(), /The processors are behind/)
    assert.match(await (await fetch(`${url}/metrics`)).text(), /hub_pressure_level\{level="red"\} 1/)
    await signal.write('green', 60_000)
    const green = await hub.reaches('green is seen', ({ pressure }) => pressure === 'green')
    const end = await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > green.ledger.delivered + 200)
    assert.deepEqual(
      [end.ledger.droppedBy.thinned, end.ledger.droppedBy.refused_by_class],
      [green.ledger.droppedBy.thinned, green.ledger.droppedBy.refused_by_class],
    )
    await hub.stop()
    await signal.close()
  })
})
