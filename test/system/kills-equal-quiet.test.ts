import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import Database from 'libsql'
import type { ProcessorFigures } from '#src/processor/processor-figures'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { RECORDED_CHANNELS, writeSteadyRecording } from '#test/support/steady-recording'
import { runHub, runProcessor, type TestProgram } from '#test/support/test-program'

const DEVICES = 4
/** A long run sets `TELEMETRY_KILLS`. */
const KILLS = Number(process.env.TELEMETRY_KILLS ?? 20)
/** As many as are played while the kills last. */
const READINGS = 200 * KILLS
const SAMPLES = DEVICES * READINGS * RECORDED_CHANNELS.length
/** Recorded seconds a second: the recording lasts as long as the kills take. */
const SPEED = 70
const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

/** What a sink holds in the end, without the correlation ids: those depend on how batches were cut. */
interface Outcome {
  findings: { key: string; revision: number; body: string }[]
  storedSamples: number
}

describe('processors that are killed, join and leave', () => {
  let redis: TestRedis
  let directory: string
  before(async () => {
    redis = await startRedis()
    directory = await mkdtemp(join(tmpdir(), 'telemetryhub-kills-'))
    for (let device = 0; device < DEVICES; device++) {
      await writeSteadyRecording(join(directory, `${device}.csv`), device + 1, READINGS)
    }
    await writeFile(join(directory, 'processor.yaml'), 'lease_ms: 1s\n')
  })
  after(async () => {
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it(`lose nothing and find what a quiet run finds (${KILLS} kills, seed ${seed})`, async () => {
    const quiet = await runOnce('quiet', 'max', async () => {})
    assert.equal(quiet.storedSamples, SAMPLES)
    for (const handler of ['analyze/', 'anomaly/', 'aggregate/', 'alert/']) {
      assert.ok(
        quiet.findings.some(({ key }) => key.startsWith(handler)),
        `the quiet run has findings of ${handler}`,
      )
    }
    const killed = await runOnce('killed', SPEED, killAndJoin)
    assert.equal(killed.storedSamples, SAMPLES)
    assert.deepEqual(killed.findings, quiet.findings)
  })

  async function runOnce(
    name: string,
    speed: number | 'max',
    disturb: (start: () => TestProgram<ProcessorFigures>) => Promise<void>,
  ): Promise<Outcome> {
    const env = {
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redis.port),
      QUEUE_NAME: name,
      TELEMETRY_DATA: join(directory, name),
    }
    const hubFile = join(directory, `${name}.yaml`)
    await writeFile(hubFile, hubConfig(directory, speed))
    const hub = runHub(['--config', hubFile], env)
    const start = () => runProcessor(['--config', join(directory, 'processor.yaml')], { ...env, NUM_WORKERS: '1' })
    try {
      await hub.ready()
      await disturb(start)
      await hub.reaches('all stored', ({ ledger }) => ledger.delivered === SAMPLES, 120_000)
      const last = start()
      await last.reaches(
        'nothing left',
        ({ backlog, ledger, shardsOwned }) => {
          return shardsOwned === 8 && backlog.samples === 0 && ledger.inFlight === 0
        },
        120_000,
      )
      const { ledger } = await last.stop()
      assert.deepEqual([ledger.deadLettered, ledger.inFlight], [0, 0])
      const { dropped, accepted } = (await hub.stop()).ledger
      assert.deepEqual([accepted, dropped], [SAMPLES, 0])
    } finally {
      await hub.kill()
    }
    return readOutcome(join(directory, name, 'findings.db'))
  }
})

/** Kills one processor after the other at random moments; half of the time a second one shares the shards and leaves. */
async function killAndJoin(start: () => TestProgram<ProcessorFigures>): Promise<void> {
  let state = seed | 1
  const random = (bound: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    return (state >>> 8) % bound
  }
  for (let kill = 0; kill < KILLS; kill++) {
    const processor = start()
    const companion = kill % 2 === 0 ? start() : undefined
    await processor.ready()
    // The moment of the kill is what the test is about: any moment of the work will do.
    await pause(200 + random(1500))
    await Promise.all([processor.kill(), companion?.ready().then(() => companion.stop())])
  }
}

function hubConfig(directory: string, speed: number | 'max'): string {
  const device = (_: unknown, index: number) => `  device-${index}:
    driver: replay
    path: ${join(directory, `${index}.csv`)}
    time: { fields: [time], format: unix-s }
    timestamps: recorded
    overflow: slow-driver
    speed: ${speed}
`
  return `gateway: { id: kills }\ndevices:\n${Array.from({ length: DEVICES }, device).join('')}`
}

function readOutcome(path: string): Outcome {
  const database = new Database(path, { readonly: true })
  const findings = database
    .prepare('SELECT key, revision, body FROM findings ORDER BY key')
    .all() as Outcome['findings']
  const { stored } = database.prepare('SELECT sum(samples) AS stored FROM chunks').get() as { stored: number }
  database.close()
  return { findings, storedSamples: stored }
}
