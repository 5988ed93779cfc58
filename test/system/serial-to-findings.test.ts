import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { startPty } from '#test/support/pty'
import { momentsOf, readRecording } from '#test/support/recording'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { runHub, runProcessor } from '#test/support/test-program'

const recording = readRecording(repositoryFile('deploy/recordings/room-climate.txt'))

describe('a recording written into a serial port by another process, through Redis', () => {
  let redis: TestRedis
  let directory: string
  before(async () => {
    redis = await startRedis()
    directory = await mkdtemp(join(tmpdir(), 'telemetryhub-serial-'))
  })
  after(async () => {
    await redis.stop()
    await rm(directory, { recursive: true, force: true })
  })

  it('is accounted for to the sample, and its findings are those of an independent computation', async () => {
    const pty = await startPty()
    const config = join(directory, 'hub.yaml')
    await writeFile(
      config,
      `devices:
  room:
    driver: line
    path: ${pty.path}
    format: whitespace
    skip_first_line: false
    fields: [date, time, temperature, humidity]
    columns: [{ field: temperature, unit: celsius }, { field: humidity, unit: percent }]
    time: { fields: [date, time], format: iso }
`,
    )
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), TELEMETRY_DATA: directory }
    const hub = runHub(['--config', config], env)
    const processor = runProcessor([], { ...env, NUM_WORKERS: '1' })
    await hub.ready()
    const processorUrl = await processor.ready()
    for (const { line } of recording) await pty.write(`${line}\n`)

    const samples = recording.length * 2
    await hub.reaches('all delivered', ({ ledger }) => ledger.delivered === samples)
    await processor.reaches('all settled', ({ ledger }) => ledger.settled === samples)
    for (const channel of ['temperature', 'humidity'] as const) {
      const url = `${processorUrl}/findings?handler=telemetry.analyze&device=room&channel=${channel}&limit=1`
      const { findings } = (await (await fetch(url)).json()) as { findings: { body: Record<string, number> }[] }
      const expected = momentsOf(recording.map((reading) => reading[channel]))
      const { body } = findings[0]!
      assert.equal(body.count, expected.count)
      assert.equal(body.min, expected.min)
      assert.equal(body.max, expected.max)
      assert.ok(Math.abs(body.mean! - expected.mean) < 1e-9 * expected.mean)
    }
    const hubEnd = await hub.stop()
    const processorEnd = await processor.stop()
    await pty.unplug()
    assert.deepEqual(
      [hubEnd.ledger.accepted, hubEnd.ledger.delivered, hubEnd.ledger.inFlight, hubEnd.ledger.dropped],
      [samples, samples, 0, 0],
    )
    assert.equal(processorEnd.ledger.inFlight, 0)
    assert.equal(processorEnd.backlog.samples, 0)
  })
})
