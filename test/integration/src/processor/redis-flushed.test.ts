import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { startCluster } from '#test/support/redis-cluster'
import { startRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd } from '#test/support/redis-store'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub, runProcessor } from '#test/support/test-program'

const root = await temporaryDirectory('redis-flushed')
const ALARM_MS = 2000

async function config(name: string, yaml: string): Promise<string> {
  const path = join(root, name)
  await writeFile(path, yaml)
  return path
}

describe('hub and processor', () => {
  const keep = keepUntilEnd()

  it('notice within two seconds that Redis was flushed, go on, and do not flood the log (scenario 19)', async () => {
    const redis = await keep(startRedis())
    const admin = await keep(adminOf(redis.port))
    const env = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, TELEMETRY_DATA: join(root, 'flushed') }
    const devices = 'devices: { sim: { driver: sim, samples_per_second: 2000, channels: 4 } }\n'
    const hub = runHub(['--config', await config('flushed.yaml', devices)], env)
    const processor = runProcessor([], env)
    const programs = [hub, processor].map((program) => keep({ stop: () => program.kill() }))
    await Promise.all(programs)
    await processor.reaches('it works', ({ ledger }) => ledger.settled > 1000)
    const before = processor.output.length
    const startMs = performance.now()
    await admin.flushall()
    // What the hub keeps of the last minutes is sent again: nothing is lost, and it says so.
    await hub.reaches(
      'the loss is told',
      () => /the store had lost batches, and has them again/.test(hub.output),
      10_000,
    )
    const alarmMs = performance.now() - startMs
    assert.ok(alarmMs < ALARM_MS, `told after ${alarmMs} ms`)
    const { ledger } = processor.figures!
    await processor.reaches('it works again', (figures) => figures.ledger.settled > ledger.settled + 5000)
    await processor.reaches('it owns all shards again', ({ shardsOwned }) => shardsOwned === 8)
    await setTimeout(1000)
    const seconds = (performance.now() - startMs) / 1000
    const lines = processor.output
      .slice(before)
      .trim()
      .split('\n')
      .filter((line) => /"level":(40|50)/.test(line))
    assert.ok(lines.length <= 8 * Math.ceil(seconds), `${lines.length} lines in ${seconds} s`)
    const figures = await hub.stop()
    const { accepted, delivered, spooled, dropped } = figures.ledger
    assert.deepEqual([dropped, accepted], [0, delivered + spooled])
    await processor.stop()
  })

  it('work over a Redis Cluster while a master restarts and a slot moves, to the last sample', async () => {
    const cluster = await keep(startCluster(3))
    const nodes = cluster.seeds.map(({ host, port }) => `${host}:${port}`).join(',')
    const env = { REDIS_CLUSTER: nodes, TELEMETRY_DATA: join(root, 'cluster'), NUM_WORKERS: '1' }
    const yaml = [
      'redis: { command_timeout_ms: 500 }',
      'devices:',
      ...['a', 'b', 'c', 'd'].map((name) => `  ${name}: { driver: sim, samples_per_second: 500, readings: 6000 }`),
      '',
    ]
    const hub = runHub(['--config', await config('cluster.yaml', yaml.join('\n'))], env)
    const processor = runProcessor([], env)
    await Promise.all([hub, processor].map((program) => keep({ stop: () => program.kill() })))
    await processor.reaches('it works', ({ ledger, shardsOwned }) => ledger.settled > 2000 && shardsOwned === 8)
    await cluster.nodes[0].server.restart()
    const { ledger } = processor.figures!
    await processor.reaches('it works again', (figures) => figures.ledger.settled > ledger.settled + 2000)
    await cluster.moveSlot(0, cluster.nodes[1])
    await hub.reaches('all is delivered', (figures) => figures.ledger.delivered === 24_000, 60_000)
    await processor.reaches(
      'the backlog is empty',
      ({ backlog, shardsOwned }) => backlog.entries === 0 && shardsOwned === 8,
    )
    const stored = await hub.stop()
    assert.deepEqual([stored.ledger.accepted, stored.ledger.dropped], [24_000, 0])
    const { backlog, ledger: done } = await processor.stop()
    assert.equal(done.deadLettered, 0)
    assert.equal(backlog.deadLetters, 0)
  })
})
