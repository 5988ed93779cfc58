import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { streamLocator } from '#src/host/stream-locator'
import { imbalanceOf } from '#src/hub/hub-figures'
import { readBack } from '#test/support/read-back'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { keepUntilEnd } from '#test/support/redis-store'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-spool')
/** Seconds that Redis is away; 300 is the full test, the same otherwise. */
const OUTAGE_S = Number(process.env.SPOOL_OUTAGE_S ?? 10)
const SAMPLES_PER_SECOND = 5000

const locatorOf = (redis: TestRedis, queueName: string) =>
  streamLocator({
    kind: 'redis',
    shards: 8,
    redis: { host: '127.0.0.1', port: redis.port, db: 0, tls: false, queueName, commandTimeoutMs: 2000 },
  })

function rssMib(pid: number): number {
  const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(kib![1]) / 1024
}

/** Cuts sequences where they begin anew: one list per run of the hub. */
function runsOf(sequences: readonly number[]): number[][] {
  const runs: number[][] = []
  for (const sequence of sequences) {
    if (sequence === 0) runs.push([])
    runs.at(-1)!.push(sequence)
  }
  return runs
}

describe('the spool of the real hub', () => {
  const keep = keepUntilEnd()
  const hubs: ReturnType<typeof runHub>[] = []
  afterEach(async () => {
    for (const hub of hubs.splice(0)) await hub.kill()
  })

  async function hubOn(name: string, redis: TestRedis, devices: string, more = '', spool = join(directory, 'spool')) {
    const path = join(directory, `${name}.yaml`)
    await writeFile(path, `gateway: { id: ${name} }\nredis: { queue_name: ${name} }\ndevices: { ${devices} }\n${more}`)
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), SPOOL_DIR: spool }
    const hub = runHub(['--config', path], env)
    hubs.push(hub)
    return hub
  }

  it(`keeps every sample while Redis is away for ${OUTAGE_S} s and the hub is killed meanwhile, and delivers in 3 s`, async () => {
    const redis = await keep(startRedis(['--appendfsync', 'always']))
    const devices = Array.from({ length: 5 }, (_, n) => {
      return `d${n}: { driver: sim, samples_per_second: ${SAMPLES_PER_SECOND / 5}, channels: 4 }`
    }).join(', ')
    const first = await hubOn('outage', redis, devices)
    await first.reaches('samples flow', ({ ledger }) => ledger.delivered > SAMPLES_PER_SECOND)
    await redis.kill()
    const { ledger: atKill } = await first.reaches(
      'samples are spooled',
      ({ ledger }) => ledger.spooled > (SAMPLES_PER_SECOND * OUTAGE_S) / 2,
      OUTAGE_S * 1000 + 10_000,
    )
    await first.kill()

    const second = await hubOn('outage', redis, devices)
    const url = await second.ready()
    const half = (SAMPLES_PER_SECOND * OUTAGE_S) / 4
    await second.reaches(
      'it spools too',
      ({ ledger }) => ledger.spooled > ledger.recovered + half,
      OUTAGE_S * 1000 + 10_000,
    )
    const rssBefore = rssMib(second.pid)
    await second.reaches(
      'the outage lasts',
      ({ ledger }) => ledger.spooled > ledger.recovered + 2 * half,
      OUTAGE_S * 1000 + 10_000,
    )
    const grown = rssMib(second.pid) - rssBefore
    const { ledger: recovered, breaker } = second.figures!
    assert.ok(recovered.recovered >= atKill.spooled, `${recovered.recovered} recovered of ${atKill.spooled}`)
    assert.notEqual(breaker, 'closed')
    assert.ok(recovered.inFlight < SAMPLES_PER_SECOND, 'the ring does not fill')
    // In its first seconds a program's heap finds its size; of 100 000 samples and more it must not keep any.
    assert.ok(grown < (OUTAGE_S < 60 ? 48 : 12), `the hub grew by ${grown.toFixed(1)} MiB while it spooled`)

    await redis.restart()
    const backMs = performance.now()
    const caughtUp = await second.reaches('all delivered', ({ ledger }) => ledger.spooled === 0)
    const tookMs = performance.now() - backMs
    assert.ok(tookMs < 3000, `delivered ${Math.round(tookMs)} ms after Redis was back`)
    assert.equal(caughtUp.breaker, 'closed')
    await fetch(`${url}/stop`, { method: 'POST' })
    await second.reaches('the ring is empty', ({ ledger }) => ledger.inFlight === 0 && ledger.spooled === 0)
    const { ledger } = await second.stop()
    assert.equal(imbalanceOf(ledger), 0)
    assert.equal(ledger.dropped, 0)

    const stored = await readBack(locatorOf(redis, 'outage'))
    let [firstSamples, secondSamples] = [0, 0]
    assert.equal(stored.sequences.size, 20)
    for (const [series, sequences] of stored.sequences) {
      const runs = runsOf(sequences)
      assert.equal(runs.length, 2, series)
      for (const run of runs)
        assert.deepEqual(
          run,
          Array.from(run, (_, n) => n),
          `${series} is whole and in order`,
        )
      firstSamples += runs[0].length
      secondSamples += runs[1].length
    }
    assert.ok(firstSamples >= atKill.delivered + atKill.spooled, 'what was delivered or spooled survives SIGKILL')
    assert.equal(secondSamples, ledger.accepted)
  })

  it('says in metrics, /health and /status what it holds, how long that lasts, and that the breaker is open', async () => {
    const redis = await keep(startRedis())
    const hub = await hubOn(
      'told',
      redis,
      'sim: { driver: sim, samples_per_second: 1000 }',
      'spool: { max_bytes: 64MiB }',
    )
    const url = await hub.ready()
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 500)
    await redis.kill()
    await hub.reaches('a rate is measured', ({ spool }) => spool?.bytesPerSecond !== undefined && spool.samples > 2000)
    const health = await fetch(`${url}/health`)
    assert.equal(health.status, 503)
    const body = (await health.json()) as { problem: string; breaker: string; spool: Record<string, unknown> }
    assert.match(body.problem, /samples wait in the spool: .*127\.0\.0\.1/)
    assert.match(String(body.spool.summary), /\d+ samples safe in .*, full in .*; 64 MiB holds \d+ .* at this rate/)
    assert.ok(Number(body.spool.full_in_seconds) > 60)
    const status = (await (await fetch(`${url}/status`)).json()) as { breaker: string; spool: { samples: number } }
    assert.ok(status.spool.samples > 2000)
    assert.ok(['open', 'half-open'].includes(status.breaker))
    assert.match(hub.output, /spool: 64 MiB holds \d+ .* at this rate \(\d+\.\d B a sample\)/)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    assert.match(metrics, /^hub_spool_limit_bytes 67108864$/m)
    assert.match(metrics, /^hub_spool_time_to_full_seconds \d+/m)
    assert.match(metrics, /^hub_spool_dropped_samples_total\{reason="disk_full"\} 0$/m)
    assert.match(metrics, /^hub_spool_fsync_duration_seconds_count [1-9]/m)
    assert.match(metrics, /^hub_spool_samples [1-9]\d{3}/m)
    assert.match(metrics, /^hub_ledger_imbalance_samples 0$/m)
    await redis.restart()
    await hub.reaches('all delivered', ({ ledger }) => ledger.spooled === 0)
    assert.equal((await fetch(`${url}/health`)).status, 200)
    await hub.stop()
    const files = readdirSync(join(directory, 'spool', 'told', 'r0')).filter((name) => name.endsWith('.spool'))
    assert.deepEqual(files, [], 'a spool that is empty has no files')
  })

  it('gives a Redis that comes back with nothing all that it had', async () => {
    const redis = await keep(startRedis(['--appendonly', 'no']))
    const hub = await hubOn('amnesia', redis, 'sim: { driver: sim, samples_per_second: 2000, channels: 2 }')
    const url = await hub.ready()
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 4000)
    await redis.kill()
    await hub.reaches('samples are spooled', ({ ledger }) => ledger.spooled > 500)
    await redis.restart()
    await hub.reaches('it has them again', ({ spool }) => (spool?.counts.repaired ?? 0) > 4000)
    await hub.reaches('all delivered', ({ ledger }) => ledger.spooled === 0)
    await fetch(`${url}/stop`, { method: 'POST' })
    await hub.reaches('the ring is empty', ({ ledger }) => ledger.inFlight === 0 && ledger.spooled === 0)
    const { ledger } = await hub.stop()
    assert.deepEqual([ledger.delivered, ledger.dropped], [ledger.accepted, 0])
    const stored = await readBack(locatorOf(redis, 'amnesia'))
    for (const sequences of stored.sequences.values())
      assert.deepEqual(
        sequences,
        Array.from(sequences, (_, n) => n),
      )
    assert.equal(stored.samples, ledger.accepted)
  })

  it('counts what such a Redis lost that is not kept', async () => {
    const redis = await keep(startRedis(['--appendonly', 'no']))
    const device = 'sim: { driver: sim, samples_per_second: 2000, channels: 2 }'
    const hub = await hubOn('lossy', redis, device, 'spool: { keep_acked_bytes: 0 }')
    const url = await hub.ready()
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 4000)
    await redis.restart()
    await hub.reaches('the loss is found', ({ ledger }) => ledger.droppedBy.store_rolled_back > 3000)
    await fetch(`${url}/stop`, { method: 'POST' })
    await hub.reaches('all delivered', ({ ledger }) => ledger.spooled === 0 && ledger.inFlight === 0)
    const { ledger } = await hub.stop()
    assert.equal(imbalanceOf(ledger), 0)
    assert.equal((await readBack(locatorOf(redis, 'lossy'))).samples, ledger.delivered)
  })

  it('runs on without a spool that it cannot use, and says why', async () => {
    const redis = await keep(startRedis())
    const device = 'sim: { driver: sim, samples_per_second: 100 }'
    const root = join(directory, 'spool', 'other')
    mkdirSync(join(root, 'r0'), { recursive: true })
    writeFileSync(join(root, 'r0', '0000000001.spool'), 'of another version')
    for (const [format, problem] of [
      ['{"version":2,"shards":8,"lanes":1}', /holds batches in format 2, not 1\. Fix: /],
      ['{"version":1,"shards":4,"lanes":1}', /holds batches for 4 shards, not 8\. Fix: set store\.shards to 4/],
    ] as const) {
      writeFileSync(join(root, 'spool.json'), format)
      const hub = await hubOn('other', redis, device)
      const url = await hub.ready()
      await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 20)
      const health = await fetch(`${url}/health`)
      assert.equal(health.status, 503)
      assert.match(((await health.json()) as { problem: string }).problem, problem)
      assert.match(hub.output, /the hub runs without a spool/)
      await hub.stop()
      assert.ok(existsSync(join(root, 'r0', '0000000001.spool')), 'nothing of it is touched')
    }
    writeFileSync(join(directory, 'a-file'), '')
    const hub = await hubOn('file', redis, device, '', join(directory, 'a-file'))
    await hub.ready()
    await hub.reaches(
      'it says so',
      ({ ledger, problem }) => /a-file.*Fix: /.test(problem ?? '') && ledger.delivered > 0,
    )
    await hub.stop()
  })

  it('is not shared by two hubs of one id', async () => {
    const redis = await keep(startRedis())
    const device = 'sim: { driver: sim, samples_per_second: 100 }'
    const one = await hubOn('twin', redis, device)
    await one.ready()
    const two = await hubOn('twin', redis, device)
    await two.ready()
    await two.reaches('it says so', ({ problem }) => /in use by another hub of the id twin/.test(problem ?? ''))
    assert.equal(one.figures?.problem, undefined)
    await one.kill()
    await two.stop()
    const three = await hubOn('twin', redis, device)
    await three.ready()
    await three.reaches('a killed hub keeps nobody out', ({ ledger, problem }) => ledger.delivered > 0 && !problem)
    await three.stop()
  })
})
