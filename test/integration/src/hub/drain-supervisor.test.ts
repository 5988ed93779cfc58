import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { systemClock } from '#core/time/clock'
import type { StreamLocator } from '#core/transport/batch-stream'
import { createLogger } from '#src/host/logger'
import { streamLocator } from '#src/host/stream-locator'
import { DrainSupervisor, type DrainSupervisorOptions } from '#src/hub/drain/drain-supervisor'
import { Intake } from '#src/hub/intake/intake'
import { ONE_FOR_ALL } from '#src/hub/intake/ring-classes'
import { SeriesRegistry } from '#src/hub/intake/series-registry'
import { NO_SHEDDING, SheddingLadder } from '#src/hub/intake/shedding-ladder'
import { readBack } from '#test/support/read-back'
import { startRedis, type TestRedis } from '#test/support/redis-server'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)
const SHARDS = 4
const DEVICES = 10
const CHANNELS = 5
const KILLS = 20

/** Supervisor and intake as in the hub, with the drain workers at hand so that a test can terminate them. */
function hubWith(locator: StreamLocator, more: Partial<DrainSupervisorOptions> = {}) {
  const registry = new SeriesRegistry(1000)
  const workers: { ring: number; worker: Worker }[] = []
  const latency = new LatencyRecorder()
  const supervisor = new DrainSupervisor({
    hubId: 'test',
    workers: 2,
    classes: ONE_FOR_ALL,
    ring: { slots: 2 ** 20, rawBytes: 4096 },
    batch: { maxSamples: 512, maxBytes: 8100, maxAgeMs: 2, maxInFlight: 4 },
    publish: { mode: 'stream', locator },
    shards: SHARDS,
    registry,
    clock: systemClock,
    log: createLogger({ name: 'test', level: 'silent' }),
    onLatency: (encoded) => latency.add(encoded),
    spawn: (workerData) => {
      const worker = new Worker(new URL(import.meta.resolve('#workers/drain-worker')), { workerData })
      workers.push({ ring: Number(workerData.producer.slice('test.r'.length)), worker })
      return worker
    },
    ...more,
  })
  const lanes = supervisor.rings.map(({ lane }) => lane)
  const intake = new Intake({
    lanes,
    classes: ONE_FOR_ALL,
    registry,
    ladder: new SheddingLadder(NO_SHEDDING),
    onReject: () => {},
  })
  const living = (index: number) => {
    return workers.find(({ ring, worker }) => ring === index && worker.threadId !== -1)?.worker
  }
  return { supervisor, intake, latency, living }
}

/** Small seeded generator (xorshift32). */
function randomBelow(seedValue: number): (bound: number) => number {
  let state = seedValue | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

function imbalanceOf({ supervisor, intake }: ReturnType<typeof hubWith>): number {
  const { accepted, dropped } = intake.totals()
  const { samplesDelivered, samplesSpooled, samplesRolledBack, inFlight, abandoned } = supervisor.totals()
  return accepted - dropped - samplesDelivered - samplesSpooled - samplesRolledBack - inFlight - abandoned
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + 30_000
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`Not within 30 s: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('drain workers under their supervisor', () => {
  let redis: TestRedis
  let directory: string
  before(async () => {
    redis = await startRedis()
    directory = await mkdtemp(join(tmpdir(), 'telemetryhub-drain-'))
  })
  after(async () => {
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  })

  const redisAt = (queueName: string, port = redis.port) =>
    streamLocator({
      kind: 'redis',
      shards: SHARDS,
      redis: { host: '127.0.0.1', port, db: 0, tls: false, queueName, commandTimeoutMs: 2000 },
    })
  const spoolIn = (name: string) => ({
    directory: join(directory, name),
    maxBytes: 2 ** 26,
    maxAgeMs: 3_600_000,
    batchAgeMs: 100,
    fsyncMs: 100,
    liveShare: 0.5,
    keep: { bytes: 2 ** 20, ageMs: 60_000 },
  })
  const stores = {
    Redis: () => redisAt('terminated'),
    'the embedded store': () =>
      streamLocator({ kind: 'embedded', shards: SHARDS, directory: join(directory, 'terminated') }),
  }

  for (const [name, locate] of Object.entries(stores)) {
    it(`lose and double nothing in ${name} when they are terminated ${KILLS} times under load (seed ${seed})`, async () => {
      const locator = locate()
      const hub = hubWith(locator)
      const { supervisor, intake, living } = hub
      const random = randomBelow(seed)
      const devices = Array.from({ length: DEVICES }, (_, n) =>
        intake.addDevice(`device-${n}`, { priority: (n % 3) as 0 | 1 | 2, overflow: 'refuse-newest' }),
      )
      const ids = devices.map((device) => Array.from({ length: CHANNELS }, (_, n) => device.series(`c${n}`, '')!))
      const values = new Float64Array(CHANNELS)
      await supervisor.start()

      // 50 000 samples a second: every millisecond one reading of every device.
      const startedMs = performance.now()
      let readings = 0
      const imbalances = new Set<number>()
      const load = setInterval(() => {
        const due = Math.floor(performance.now() - startedMs)
        for (; readings < due; readings++) {
          for (const [n, device] of devices.entries()) device.reading(systemClock.nowUs(), ids[n], values)
        }
        imbalances.add(imbalanceOf(hub))
      }, 1)
      let inFlight = 0
      for (let kill = 0; kill < KILLS; kill++) {
        const ring = supervisor.rings[random(supervisor.rings.length)]
        await until(() => living(ring.index) !== undefined, 'the worker lives')
        // Some while they start or take over from the one before, most while they are at work.
        if (random(4) === 0) await new Promise((resolve) => setTimeout(resolve, random(100)))
        else {
          const { samplesDelivered } = ring.totals()
          await until(() => ring.totals().samplesDelivered > samplesDelivered, 'the worker works')
          await new Promise((resolve) => setTimeout(resolve, random(20)))
        }
        await living(ring.index)?.terminate()
        if (ring.batchesInFlight > 0) inFlight++
      }
      assert.ok(inFlight > 0, 'some were terminated with batches in flight')
      const before = supervisor.totals().samplesDelivered
      await until(() => supervisor.totals().samplesDelivered > before + 1000, 'samples flow after the last kill')
      clearInterval(load)
      await supervisor.stop(20_000)

      const { accepted, dropped } = intake.totals()
      assert.deepEqual([accepted, dropped], [readings * DEVICES * CHANNELS, 0])
      const totals = supervisor.totals()
      assert.deepEqual([totals.samplesDelivered, totals.inFlight, totals.abandoned], [accepted, 0, 0])
      assert.deepEqual([...imbalances], [0], 'the ledger balanced at every moment')
      const restarts = supervisor.rings.reduce((sum, ring) => sum + ring.restarts, 0)
      assert.ok(restarts <= KILLS && restarts > KILLS / 2, `${restarts} restarts`)

      const stored = await readBack(locator)
      assert.equal(stored.samples, accepted)
      assert.equal(stored.sequences.size, DEVICES * CHANNELS)
      const expected = Array.from({ length: readings }, (_, sequence) => sequence)
      for (const [series, sequences] of stored.sequences) assert.deepEqual(sequences, expected, series)
    })
  }

  it(`lose and double nothing when they are terminated while Redis comes and goes behind a spool (seed ${seed})`, async () => {
    const away = await startRedis(['--appendfsync', 'always'])
    const locator = redisAt('spooled', away.port)
    const spool = spoolIn('spool')
    const hub = hubWith(locator, { spool })
    const { supervisor, intake, living } = hub
    const random = randomBelow(seed)
    const devices = Array.from({ length: DEVICES }, (_, n) =>
      intake.addDevice(`device-${n}`, { priority: (n % 3) as 0 | 1 | 2, overflow: 'refuse-newest' }),
    )
    const ids = devices.map((device) => [device.series('c', '')!])
    await supervisor.start()
    const startedMs = performance.now()
    let readings = 0
    const imbalances = new Set<number>()
    const load = setInterval(() => {
      const due = Math.floor(performance.now() - startedMs)
      for (; readings < due; readings++) {
        for (const [n, device] of devices.entries()) device.reading(systemClock.nowUs(), ids[n], [readings])
      }
      imbalances.add(imbalanceOf(hub))
    }, 1)
    for (let kill = 0; kill < KILLS / 2; kill++) {
      if (kill % 5 === 1) await away.kill()
      const ring = supervisor.rings[random(supervisor.rings.length)]
      await until(() => living(ring.index) !== undefined && ring.isUp, 'the worker lives')
      await new Promise((resolve) => setTimeout(resolve, random(150)))
      await living(ring.index)?.terminate()
      if (kill % 5 === 3) await away.restart()
    }
    await away.restart()
    await until(() => supervisor.totals().spool.appended > 0, 'something was spooled')
    clearInterval(load)
    await until(() => supervisor.totals().inFlight === 0 && supervisor.totals().spool.held === 0, 'all is delivered')
    await supervisor.stop(20_000)
    const { accepted, dropped } = intake.totals()
    const { samplesDelivered, samplesSpooled, spool: counts } = supervisor.totals()
    assert.deepEqual([samplesDelivered + counts.replayed, dropped, counts.replayed], [accepted, 0, samplesSpooled])
    assert.deepEqual([...imbalances], [0], 'the ledger balanced at every moment')
    const stored = await readBack(locator)
    const expected = Array.from({ length: readings }, (_, sequence) => sequence)
    for (const [series, sequences] of stored.sequences) assert.deepEqual(sequences, expected, series)
    assert.equal(stored.samples, accepted)
    await away.stop()
  })

  it('never send past batches in a spool that another worker filled and they cannot open', async () => {
    const away = await startRedis()
    await away.kill()
    const locator = redisAt('unopened', away.port)
    const { supervisor, intake, living } = hubWith(locator, { spool: spoolIn('unopened'), workers: 1 })
    const device = intake.addDevice('a', { priority: 1, overflow: 'refuse-newest' })
    const ids = [device.series('c', '')!]
    await supervisor.start()
    for (let n = 0; n < 50; n++) device.reading(systemClock.nowUs(), ids, [n])
    await until(() => supervisor.totals().spool.held === 50, 'all is spooled')
    const lane = join(directory, 'unopened', 'test', 'r0')
    await rename(lane, `${lane}-away`)
    await writeFile(lane, 'no directory')
    await living(0)!.terminate()
    await away.restart()
    for (let n = 50; n < 100; n++) device.reading(systemClock.nowUs(), ids, [n])
    await until(() => /The spool cannot be opened.*Fix: make /.test(supervisor.problem ?? ''), 'the problem is told')
    assert.equal(supervisor.totals().samplesDelivered, 0)
    await rm(lane)
    await rename(`${lane}-away`, lane)
    await until(() => supervisor.totals().inFlight === 0 && supervisor.totals().spool.held === 0, 'all is delivered')
    assert.equal(supervisor.problem, undefined)
    await supervisor.stop(5000)
    const [sequences] = (await readBack(locator)).sequences.values()
    assert.deepEqual(
      sequences,
      Array.from({ length: 100 }, (_, n) => n),
    )
    await away.stop()
  })

  it('give up what a store that is away does not take in time, and count it', async () => {
    const away = await mkdtemp(join(tmpdir(), 'telemetryhub-away-'))
    const hub = hubWith(redisAt('away', 1))
    const { supervisor, intake } = hub
    const device = intake.addDevice('a', { priority: 1, overflow: 'refuse-newest' })
    const ids = [device.series('c', '')!]
    await supervisor.start()
    for (let n = 0; n < 100; n++) device.reading(systemClock.nowUs(), ids, [n])
    await until(() => supervisor.rings.every(({ status }) => status !== undefined), 'the workers have tried')
    assert.equal(supervisor.isStoreUp, false)
    assert.match(supervisor.problem ?? '', /samples wait in the ring: .*127\.0\.0\.1:1/)
    const startedMs = performance.now()
    await supervisor.stop(300)
    assert.ok(performance.now() - startedMs < 2000)
    const { samplesDelivered, inFlight, abandoned } = supervisor.totals()
    assert.deepEqual([samplesDelivered, inFlight, abandoned], [0, 0, 100])
    assert.equal(imbalanceOf(hub), 0)
    await rm(away, { recursive: true, force: true })
  })

  it('that cannot even start are reported after three tries, and tried on', async () => {
    const moduleUrl = new URL('./no-such-module.js', import.meta.url).href
    const { supervisor, living } = hubWith({ moduleUrl, options: {} }, { workers: 1 })
    await supervisor.start()
    await until(() => /cannot start \(\d+ tries\)/.test(supervisor.problem ?? ''), 'the problem is told')
    assert.match(supervisor.problem ?? '', /no-such-module/)
    const { restarts } = supervisor.rings[0]
    await until(() => supervisor.rings[0].restarts > restarts, 'another try')
    await supervisor.stop(100)
    assert.equal(living(0), undefined)
  })

  it('say how long samples took from reading to stored', async () => {
    const { supervisor, intake, latency } = hubWith(redisAt('latency'))
    const device = intake.addDevice('a', { priority: 1, overflow: 'refuse-newest' })
    const ids = [device.series('c', '')!]
    await supervisor.start()
    for (let n = 0; n < 100; n++) device.reading(systemClock.nowUs() - 50_000, ids, [n])
    await until(() => latency.count === 100, 'latencies have come')
    assert.ok(latency.percentileUs(0) >= 50_000)
    await supervisor.stop(5000)
  })

  it('end at once when nothing is left to store, and their threads with them', async () => {
    const { supervisor, living } = hubWith(redisAt('idle'))
    await supervisor.start()
    await until(() => supervisor.isStoreUp, 'the store is open')
    const ended = Promise.all([0, 1].map((ring) => once(living(ring)!, 'exit')))
    await supervisor.stop(5000)
    assert.deepEqual((await ended).flat(), [0, 0])
  })
})
