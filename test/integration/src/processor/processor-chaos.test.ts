import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { BatchProducer } from '#core/transport/batch-stream'
import { openBatchProducer as openRedisProducer } from '#core/transport/redis/redis-stream'
import { openBatchProducer as openEmbeddedProducer } from '#src/embedded/embedded-stream'
import { imbalanceOf, type ProcessorFigures } from '#src/processor/processor-figures'
import { comparableFindings } from '#test/support/findings-api'
import { startRedis } from '#test/support/redis-server'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor, type TestProgram } from '#test/support/test-program'

const SHARDS = 8
const DEVICES = 16
const KILLS = 20
const root = await temporaryDirectory('processor-chaos')

/** A place for a store, and how a processor and a producer find it. */
interface Place {
  env: Record<string, string>
  open(): Promise<BatchProducer>
  remove(): Promise<void>
}

const PLACES: Record<string, (name: string) => Promise<Place>> = {
  'the embedded store': async (name) => {
    const data = join(root, name)
    await mkdir(data)
    return {
      env: { TELEMETRY_DATA: data },
      open: () => openEmbeddedProducer({ directory: data, shards: SHARDS }),
      remove: async () => {},
    }
  },
  Redis: async (name) => {
    const redis = await startRedis()
    const connection = { host: '127.0.0.1', port: redis.port, db: 0, tls: false, queueName: 'telemetry:tasks' }
    return {
      env: { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), TELEMETRY_DATA: join(root, name) },
      open: () => openRedisProducer({ ...connection, commandTimeoutMs: 2000, shards: SHARDS }),
      remove: () => redis.stop(),
    }
  },
}

async function configAt(name: string): Promise<string> {
  const config = join(root, `${name}.yaml`)
  await writeFile(config, 'lease_ms: 600\ncheckpoint: { interval_ms: 30, max_entries: 20 }\n')
  return config
}

for (const [kind, placeOf] of Object.entries(PLACES)) {
  describe(`processors over ${kind} that are killed again and again`, () => {
    it('make the findings of a quiet run, from every sample', async () => {
      const quiet = await placeOf(`quiet-${kind.split(' ').at(-1)}`)
      const rough = await placeOf(`rough-${kind.split(' ').at(-1)}`)
      const args = ['--config', await configAt('chaos')]
      const expected = await quietRun(quiet, args)

      const producer = await rough.open()
      const feed = new TelemetryFeed(producer, DEVICES)
      let victim = runProcessor(args, rough.env)
      let guest: TestProgram<ProcessorFigures> | undefined
      let workedBeforeKill = 0
      for (let kill = 0; kill < KILLS; kill++) {
        for (let i = 0; i < ROUNDS / KILLS; i++) await feed.append(READINGS)
        // Any moment: every other time from before the start is complete, else from the middle of the work.
        if (kill % 2 === 0) {
          await victim.reaches(
            'it works, or a guest has done all of it',
            ({ ledger, backlog, shardsOwned }) => ledger.leased > 0 || (shardsOwned > 0 && backlog.entries === 0),
          )
        }
        await delay(Math.random() * 500)
        workedBeforeKill += Math.sign(victim.figures?.ledger.leased ?? 0)
        await victim.kill()
        victim = runProcessor(args, rough.env)
        if (kill % 5 === 1) guest = runProcessor(args, rough.env)
        if (kill % 5 === 3) {
          const end = await guest!.stop()
          if (end !== undefined) assert.equal(imbalanceOf(end.ledger), 0)
        }
      }
      const url = await victim.ready()
      const { ledger } = await victim.reaches(
        'everything is settled',
        ({ backlog, ledger, shardsOwned }) => shardsOwned === SHARDS && backlog.entries === 0 && ledger.inFlight === 0,
        60_000,
      )
      assert.ok(workedBeforeKill >= KILLS / 4, `only ${workedBeforeKill} of ${KILLS} had begun to work`)
      assert.equal(imbalanceOf(ledger), 0)
      assert.equal((await victim.reaches('its figures', () => true)).backlog.deadLetters, 0)
      const found = await comparableFindings(url)
      await victim.stop()
      await producer.close()
      await rough.remove()
      await quiet.remove()
      assert.deepEqual([...found.keys()], [...expected.keys()])
      for (const [key, finding] of expected) assert.deepEqual(found.get(key), finding)
    })
  })
}

const ROUNDS = 200
const READINGS = 5

async function quietRun(place: Place, args: readonly string[]): Promise<Map<string, unknown>> {
  const producer = await place.open()
  const feed = new TelemetryFeed(producer, DEVICES)
  const processor = runProcessor(args, place.env)
  const url = await processor.ready()
  for (let i = 0; i < ROUNDS; i++) await feed.append(READINGS)
  await processor.reaches('all settled', ({ ledger }) => ledger.settled === feed.samples, 60_000)
  const findings = await comparableFindings(url)
  await processor.stop()
  await producer.close()
  return findings
}
