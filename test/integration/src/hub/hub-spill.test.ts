import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import type { StreamModule } from '#core/transport/batch-stream'
import type { PressureSignal } from '#core/transport/pressure-signal'
import { openPressureSignal } from '#core/transport/redis/redis-stream'
import { streamLocator } from '#src/host/stream-locator'
import { imbalanceOf } from '#src/hub/hub-figures'
import { readBack } from '#test/support/read-back'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-spill')
const MINUTE_MS = 60_000

describe('the hub spills to its spool while the processors are behind', () => {
  let redis: TestRedis
  let signal: PressureSignal
  const hubs: ReturnType<typeof runHub>[] = []
  before(async () => {
    redis = await startRedis()
  })
  after(() => redis.stop())
  afterEach(async () => {
    for (const hub of hubs.splice(0)) await hub.kill()
    await signal.close()
  })

  const locatorOf = (queueName: string) =>
    streamLocator({
      kind: 'redis',
      shards: 8,
      redis: { host: '127.0.0.1', port: redis.port, db: 0, tls: false, queueName, commandTimeoutMs: 2000 },
    })

  async function samplesInRedis(queueName: string): Promise<number> {
    const { moduleUrl, options } = locatorOf(queueName)
    const stream = await ((await import(moduleUrl)) as StreamModule).openBatchStream(options, 'counter')
    const depths = await stream.depths()
    await stream.close()
    return depths.reduce((sum, { samples }) => sum + samples, 0)
  }

  async function hubOn(name: string, yaml: string) {
    const path = join(directory, `${name}.yaml`)
    await writeFile(path, `gateway: { id: ${name} }\nredis: { queue_name: ${name} }\n${yaml}`)
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), SPOOL_DIR: join(directory, 'spool') }
    const hub = runHub(['--config', path], env)
    hubs.push(hub)
    return hub
  }

  async function metric(url: string, name: string): Promise<number> {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.slice(name.length + 1),
    )
  }

  it('fills the spool and not Redis, and delivers all of it once and in order when the level falls', async () => {
    signal = await openPressureSignal(locatorOf('all').options)
    const hub = await hubOn(
      'all',
      `backpressure: { red: { high: spill, normal: spill, low: spill } }
devices: { a: { driver: sim, samples_per_second: 1000, channels: 2 }, b: { driver: sim, samples_per_second: 1000 } }
`,
    )
    const url = await hub.ready()
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 500)
    await signal.write('red', MINUTE_MS)
    await hub.reaches('it holds', ({ spill, ledger }) => spill.holding === 1 && ledger.spooled > 0)
    const before = await samplesInRedis('all')
    const full = await hub.reaches('the spool grows', ({ ledger }) => ledger.spooled > 3000)
    assert.equal(await samplesInRedis('all'), before, 'Redis does not grow')
    assert.equal(imbalanceOf(full.ledger), 0)
    assert.deepEqual([full.isStoreUp, full.breaker, full.problem], [true, 'closed', undefined])
    assert.ok((await metric(url, 'hub_pressure_spilled_samples_total')) > 3000)
    assert.ok((await metric(url, 'hub_pressure_spilled_batches_total')) > 0)
    assert.ok((await metric(url, 'hub_pressure_spill_seconds_total')) > 0)
    assert.equal(await metric(url, 'hub_pressure_spill_rings{state="holding"}'), 1)

    await signal.write('green', MINUTE_MS)
    await hub.reaches('nothing waits', ({ spill, ledger }) => spill.off === 1 && ledger.spooled === 0)
    const green = hub.figures!.ledger
    await hub.reaches('samples flow directly', ({ ledger }) => ledger.delivered > green.delivered + 500)
    await fetch(`${url}/stop`, { method: 'POST' })
    await hub.reaches('all delivered', ({ ledger }) => ledger.inFlight === 0 && ledger.spooled === 0)
    const { ledger } = await hub.stop()
    assert.deepEqual([ledger.delivered, ledger.dropped, imbalanceOf(ledger)], [ledger.accepted, 0, 0])
    const stored = await readBack(locatorOf('all'))
    assert.equal(stored.samples, ledger.accepted)
    for (const [series, sequences] of stored.sequences) {
      const whole = Array.from(sequences, (_, n) => n)
      assert.deepEqual(sequences, whole, `${series} is whole and in order`)
    }
  })

  it('delivers high readings meanwhile, when only the others are spilled', async () => {
    signal = await openPressureSignal(locatorOf('classes').options)
    await signal.write('red', MINUTE_MS)
    const hub = await hubOn(
      'classes',
      `backpressure: { red: { normal: spill, low: spill } }
devices:
  vital: { driver: sim, interval_ms: 5, priority: high }
  usual: { driver: sim, interval_ms: 5 }
  bulk: { driver: sim, interval_ms: 5, priority: low }
`,
    )
    const url = await hub.ready()
    await hub.reaches('one ring holds', ({ spill }) => spill.holding === 1 && spill.off === 1)
    const held = hub.figures!.ledger
    const flowing = await hub.reaches('high readings flow', ({ ledger }) => ledger.delivered > held.delivered + 300)
    assert.ok(flowing.ledger.spooled > 300)
    // A reading says its own class: the ring follows it, not the device.
    const push = (priority: string) =>
      fetch(`${url}/telemetry`, {
        method: 'POST',
        body: JSON.stringify({ device_id: 'both', temperature: 1, priority }),
      })
    assert.deepEqual([(await push('HIGH')).status, (await push('LOW')).status], [202, 202])
    await fetch(`${url}/stop`, { method: 'POST' })
    await hub.reaches('the rings are empty', ({ ledger }) => ledger.inFlight === 0)
    const { ledger } = hub.figures!
    assert.equal(imbalanceOf(ledger), 0)
    const meanwhile = await samplesInRedis('classes')
    assert.equal(meanwhile, ledger.delivered)
    await signal.write('green', MINUTE_MS)
    await hub.reaches('all delivered', ({ ledger }) => ledger.spooled === 0)
    const end = (await hub.stop()).ledger
    assert.deepEqual([end.delivered, end.dropped], [end.accepted, 0])
    const stored = await readBack(locatorOf('classes'))
    for (const device of ['vital', 'usual', 'bulk']) {
      const sequences = [...stored.sequences].filter(([key]) => key.startsWith(`${device}/`)).flatMap(([, all]) => all)
      assert.ok(sequences.length > 100, device)
      assert.deepEqual(
        sequences,
        Array.from(sequences, (_, n) => n),
        `${device} is whole and in order`,
      )
    }
  })

  it('has what it held delivered by the next run when it is killed meanwhile', async () => {
    signal = await openPressureSignal(locatorOf('killed').options)
    await signal.write('red', MINUTE_MS)
    const yaml = `backpressure: { red: { high: spill, normal: spill, low: spill } }
devices: { sim: { driver: sim, samples_per_second: 2000 } }
`
    const first = await hubOn('killed', yaml)
    const { ledger: atKill } = await first.reaches('the spool grows', ({ ledger }) => ledger.spooled > 3000)
    await first.kill()
    const second = await hubOn('killed', yaml)
    const url = await second.ready()
    const holding = await second.reaches('it holds, too', ({ spill, ledger }) => {
      return spill.holding === 1 && ledger.spooled > ledger.recovered
    })
    assert.ok(holding.ledger.recovered >= atKill.spooled)
    await signal.write('green', MINUTE_MS)
    await second.reaches('all of before is delivered', ({ ledger }) => ledger.spooled === 0)
    await fetch(`${url}/stop`, { method: 'POST' })
    await second.reaches('all delivered', ({ ledger }) => ledger.inFlight === 0 && ledger.spooled === 0)
    const { ledger } = await second.stop()
    assert.deepEqual([ledger.accepted + ledger.recovered, ledger.dropped], [ledger.delivered, 0])
    const [sequences] = (await readBack(locatorOf('killed'))).sequences.values()
    const secondRunAt = sequences.lastIndexOf(0)
    for (const run of [sequences.slice(0, secondRunAt), sequences.slice(secondRunAt)]) {
      assert.deepEqual(
        run,
        Array.from(run, (_, n) => n),
        'whole and in order',
      )
    }
    assert.ok(secondRunAt >= atKill.delivered + atKill.spooled)
    assert.equal(sequences.length - secondRunAt, ledger.accepted)
  })
})
