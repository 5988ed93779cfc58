import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { streamLocator } from '#src/host/stream-locator'
import { readBack } from '#test/support/read-back'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-rest')

async function hubWith(yaml: string, env: Record<string, string> = {}) {
  const data = await mkdtemp(join(directory, 'data-'))
  const config = join(data, 'hub.yaml')
  await writeFile(config, yaml)
  const hub = runHub(['--config', config, '--data', data], env)
  const url = await hub.ready()
  return {
    hub,
    data,
    call: async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body)
      const reply = await fetch(url + path, { method, headers, ...(text !== undefined && { body: text }) })
      const answer = await reply.text()
      const isJson = reply.headers.get('content-type')?.includes('json')
      return { status: reply.status, headers: reply.headers, body: isJson ? JSON.parse(answer) : answer }
    },
  }
}

const FAST = 'devices: { sim: { driver: sim, interval_ms: 2, seed: 1 } }\n'
const NO_SAMPLES = 'devices: { none: { driver: replay, path: /dev/null, fields: [a], has_header: false } }\n'

describe('REST of the hub', () => {
  it('has the bodies of the original, key for key, with true figures', async () => {
    const { hub, call } = await hubWith(FAST)
    await hub.reaches('samples are stored', ({ ledger, latencyP99Ms }) => ledger.delivered > 20 && latencyP99Ms > 0)
    const status = await call('GET', '/status')
    assert.equal(status.status, 200)
    assert.deepEqual(Object.keys(status.body).slice(0, 3), ['state', 'latest_sample', 'metrics'])
    assert.equal(status.body.state, 'Measuring')
    assert.deepEqual(Object.keys(status.body.latest_sample), ['seq', 'value', 'unit'])
    assert.equal(status.body.latest_sample.unit, 'arb.units')
    assert.ok(Math.abs(status.body.latest_sample.value - 42) < 3)
    assert.deepEqual(Object.keys(status.body.metrics), [
      'samples_processed',
      'samples_dropped',
      'pool_jobs_processed',
      'pool_jobs_queued',
      'pool_num_threads',
    ])
    assert.ok(status.body.metrics.samples_processed > 20)
    assert.ok(status.body.metrics.pool_jobs_processed > 0)

    const metrics = await call('GET', '/metrics', undefined, { accept: 'application/json' })
    assert.deepEqual(Object.keys(metrics.body), [
      'samples_processed',
      'samples_dropped',
      'queue_depth',
      'latency_p99_ms',
      'uptime_seconds',
      'thread_pool',
    ])
    assert.deepEqual(Object.keys(metrics.body.thread_pool), [
      'jobs_processed',
      'jobs_queued',
      'avg_processing_ms',
      'num_threads',
    ])
    assert.ok(metrics.body.latency_p99_ms > 0)

    const prometheus = await call('GET', '/metrics')
    assert.match(prometheus.body, /^hub_samples_delivered_total \d+$/m)
    assert.match(prometheus.body, /^hub_ledger_imbalance_samples 0$/m)
    assert.match(prometheus.body, /^# TYPE hub_sample_delivery_latency_seconds histogram$/m)
    assert.match(prometheus.body, /^hub_device_state\{device="sim",state="Measuring"\} 1$/m)
    assert.match(prometheus.body, /^hub_sink_batches_total\{sink="embedded",result="stored"\} \d+$/m)

    const health = await call('GET', '/health')
    assert.deepEqual([health.status, health.body.status], [200, 'ok'])
    assert.ok(Number.isInteger(health.body.in_flight))
    await hub.stop()
  })

  it('gives metrics of one moment: accepted samples are delivered, dropped or in flight', async () => {
    const { hub, call } = await hubWith('devices: { sim: { driver: sim, samples_per_second: 50000, channels: 10 } }\n')
    await hub.reaches('samples flow', ({ ledger }) => ledger.delivered > 1000)
    for (let scrape = 0; scrape < 40; scrape++) {
      const { body } = await call('GET', '/metrics')
      const sum = (name: string) => {
        const values = (body as string).matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\d+)$`, 'gm'))
        return Array.from(values, ([, value]) => Number(value)).reduce((total, value) => total + value)
      }
      const accounted =
        sum('hub_samples_delivered_total') + sum('hub_samples_dropped_total') + sum('hub_samples_in_flight')
      assert.equal(accounted, sum('hub_samples_accepted_total'))
    }
    await hub.stop()
  })

  it('has samples flow again after each stop and start, and refuses to reset meanwhile', async () => {
    const { hub, call } = await hubWith(FAST)
    for (let round = 0; round < 3; round++) {
      assert.deepEqual((await call('POST', '/start')).body, { ok: true })
      const before = hub.figures?.ledger.delivered ?? 0
      await hub.reaches(`samples flow in round ${round}`, ({ ledger }) => ledger.delivered > before + 20)
      assert.equal((await call('GET', '/status')).body.state, 'Measuring')
      const reset = await call('POST', '/reset')
      assert.equal(reset.status, 400)
      assert.deepEqual(reset.body, { error: 'Cannot reset while measuring. Stop gateway first.' })
      assert.deepEqual((await call('POST', '/stop')).body, { ok: true })
      assert.deepEqual((await call('POST', '/stop')).body, { ok: true }, 'a second stop is ok, too')
      assert.equal((await call('GET', '/status')).body.state, 'Idle')
      const { ledger } = await hub.reaches('all is stored', ({ ledger }) => ledger.inFlight === 0)
      assert.equal(ledger.accepted, ledger.delivered)
    }
    const idle = await call('POST', '/reset')
    assert.equal(idle.status, 400)
    assert.deepEqual(idle.body, { ok: false, message: 'Device not in SafeState/Error' })
    await hub.stop()
  })

  it('clears a latched fault by reset only', async () => {
    const { hub, call } = await hubWith(
      'devices: { sim: { driver: sim, interval_ms: 1, faults: { after_readings: 5 } } }\n',
    )
    const isLatched = async () => (await call('GET', '/status')).body.state === 'SafeState'
    while (!(await isLatched())) await hub.reaches('readings were taken', ({ ledger }) => ledger.accepted >= 5)
    assert.deepEqual((await call('POST', '/start')).body, { ok: true })
    assert.equal((await call('GET', '/status')).body.state, 'SafeState', 'start does not clear it')
    const reset = await call('POST', '/reset')
    assert.equal(reset.status, 200)
    assert.deepEqual(reset.body, { ok: true, message: 'Device reset to Idle' })
    assert.equal((await call('GET', '/status')).body.state, 'Idle')
    await hub.stop()
  })

  it('answers 404 to what it does not have', async () => {
    const { hub, call } = await hubWith(NO_SAMPLES)
    for (const [method, path] of [
      ['GET', '/start'],
      ['GET', '/samples'],
      ['PUT', '/telemetry'],
    ] as const) {
      assert.equal((await call(method, path)).status, 404, `${method} ${path}`)
    }
    await hub.stop()
  })

  it('has null for the latest sample before there is one', async () => {
    const { hub, call } = await hubWith(NO_SAMPLES)
    assert.equal((await call('GET', '/status')).body.latest_sample, null)
    await hub.stop()
  })

  it('takes readings over POST /telemetry, in both shapes, and stores them', async () => {
    const { hub, data, call } = await hubWith(NO_SAMPLES)
    const seed = {
      device_id: 'sensor_001',
      timestamp: '2026-01-04T12:00:00Z',
      temperature: 25.5,
      humidity: 60,
      pressure: 1013.25,
      raw_data: 'AQID',
    }
    const k6 = {
      device_id: 'sensor-7',
      type: 'co2',
      value: 412,
      unit: 'ppm',
      priority: 'HIGH',
      timestamp: '2026-01-04T12:00:00.123Z',
      metadata: { location: 'zone-0', firmware_version: '2.3.1' },
    }
    const one = await call('POST', '/telemetry', seed, { 'content-type': 'application/json' })
    assert.equal(one.status, 202)
    assert.deepEqual(one.body, { ok: true, message: 'Telemetry received', accepted: 3 })
    const many = await call('POST', '/telemetry', [k6, seed, k6])
    assert.deepEqual([many.status, many.body.accepted], [202, 5])
    const { latest } = await hub.reaches('all is stored', ({ ledger }) => ledger.delivered >= 8)
    assert.deepEqual(latest, { device: 'sensor-7', channel: 'co2', sequence: 1, value: 412, unit: 'ppm' })
    const end = await hub.stop()
    assert.equal(end.ledger.accepted, end.ledger.delivered)
    const stored = await readBack(streamLocator({ kind: 'embedded', directory: data, shards: 8 }))
    assert.deepEqual(stored.sequences.get('sensor_001/temperature'), [0, 1])
    assert.deepEqual(stored.sequences.get('sensor-7/co2'), [0, 1])
  })

  it('answers only when readings are stored, if it is asked to: then no end of the hub loses them', async () => {
    const awayStore = 'redis: { host: 127.0.0.1, port: 1 }\nbatch: { max_age_ms: 500 }\n'
    const env = { SPOOL_DIR: join(directory, 'waits') }
    const { hub, data, call } = await hubWith(`gateway: { id: waits }\n${awayStore}${NO_SAMPLES}`, env)
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        call('POST', '/telemetry', { device_id: `d${n % 4}`, temperature: n }, { prefer: 'respond-async, wait=20' }),
      ),
    )
    await hub.kill()
    for (const { status, body } of replies) {
      assert.equal(status, 200)
      assert.deepEqual(body, { ok: true, message: 'Telemetry stored', accepted: 1 })
    }
    const next = runHub(['--config', join(data, 'hub.yaml'), '--data', data], env)
    const { ledger } = await next.reaches('it found the spool', ({ ledger }) => ledger.recovered > 0)
    assert.equal(ledger.recovered, 50)
    await next.kill()
  })

  it('answers 202 when readings are not stored in the time that was asked for', async () => {
    const { hub, call } = await hubWith(`spool: { enabled: false }\nredis: { host: 127.0.0.1, port: 1 }\n${NO_SAMPLES}`)
    const { status, body } = await call('POST', '/telemetry', { device_id: 'd', temperature: 1 }, { prefer: 'wait=1' })
    assert.deepEqual([status, body.message], [202, 'Telemetry received'])
    await hub.kill()
  })

  it('refuses readings it cannot read, naming what is wrong, and takes none of their list', async () => {
    const { hub, call } = await hubWith(NO_SAMPLES)
    const good = { device_id: 'a', temperature: 20 }
    const cases: [unknown, number, RegExp][] = [
      ['', 400, /Empty request body/],
      ['  ', 400, /Empty request body/],
      ['not json', 400, /not JSON/],
      [[], 400, /empty/],
      ['{"device_id":"a","temperature":"warm"}', 422, /temperature/],
      [{ temperature: 20 }, 422, /device_id/],
      [{ device_id: 'a' }, 422, /temperature or value/],
      [{ ...good, timestamp: '1970-01-01T00:00:00Z' }, 422, /timestamp/],
      [{ ...good, timestamp: 'yesterday' }, 422, /timestamp/],
      [{ ...good, priority: 'URGENT' }, 422, /priority/],
      ['{"device_id":"a","temperature":1e999}', 422, /temperature/],
      [[good, { ...good, raw_data: '%%%' }], 422, /reading 1: .*raw_data/],
      [Array(1001).fill(good), 413, /1000 readings/],
      ['x'.repeat(300_000), 413, /too large/],
    ]
    for (const [body, status, message] of cases) {
      const reply = await call('POST', '/telemetry', body)
      const shown = JSON.stringify(body).slice(0, 80)
      assert.equal(reply.status, status, `${shown}: ${JSON.stringify(reply.body)}`)
      assert.match(reply.body.error, message, shown)
    }
    assert.equal((await call('POST', '/telemetry', Array(1000).fill(good))).status, 202, 'as many as are allowed')
    const { ledger, rejected } = await hub.stop()
    assert.equal(ledger.accepted, 1000)
    const counted = rejected.find(({ device }) => device === 'POST /telemetry')
    assert.equal(counted?.reason, 'reading_invalid')
    assert.ok(counted.count >= cases.length - 1)
  })

  it('asks to come back later when the rings have no room, and counts drops of devices', async () => {
    const { hub, call } = await hubWith(
      'ring: { slots: 64 }\nspool: { enabled: false }\nredis: { host: 127.0.0.1, port: 1 }\ndevices: { sim: { driver: sim, interval_ms: 1 } }\n',
    )
    await hub.reaches('the ring is full', ({ ledger, problem }) => ledger.dropped > 10 && /:1/.test(problem ?? ''))
    const reply = await call('POST', '/telemetry', { device_id: 'a', temperature: 20 })
    assert.equal(reply.status, 503)
    assert.equal(reply.headers.get('retry-after'), '1')
    assert.deepEqual(reply.body, { error: 'Server overloaded, retry later' })
    const status = await call('GET', '/status')
    assert.ok(status.body.metrics.samples_dropped > 10)
    const health = await call('GET', '/health')
    assert.equal(health.status, 503)
    assert.equal(health.body.status, 'degraded')
    assert.match(health.body.problem, /samples wait in the ring: .*127\.0\.0\.1:1/)
    const startedMs = performance.now()
    const { ledger } = await hub.stop()
    assert.ok(performance.now() - startedMs < 5000, 'a store that is away does not keep it from ending')
    assert.equal(ledger.droppedBy.shutdown, 64)
    assert.equal(ledger.accepted, ledger.dropped)
    assert.equal(ledger.inFlight, 0)
    assert.equal(await hub.ended(), 0)
  })
})
