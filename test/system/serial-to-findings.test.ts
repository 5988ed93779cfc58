import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Finding } from '#core/model/finding'
import { type Pty, startPty } from '#test/support/pty'
import { momentsOf, type RecordedReading, readRecording } from '#test/support/recording'
import { startRedis, type TestRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { runHub, runProcessor } from '#test/support/test-program'

const RECORDING = repositoryFile('deploy/recordings/room-climate.txt')
const HOUR_US = 3_600_000_000
const CHANNELS = ['temperature', 'humidity'] as const
/** Lines per second: a pace a person can follow, and a hundred times that. */
const PACES = [100, 10_000]
const WARM = { above: 21.5, reset: 21 }

const recording = readRecording(RECORDING)

describe('a recording that another process plays into a serial port, through Redis', () => {
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

  for (const linesPerSecond of PACES) {
    it(`is accounted for to the sample at ${linesPerSecond} lines/s, and gives the findings of an independent computation`, async () => {
      const pty = await startPty()
      const data = join(directory, String(linesPerSecond))
      const files = await writeConfigs(directory, pty)
      const env = {
        REDIS_HOST: '127.0.0.1',
        REDIS_PORT: String(redis.port),
        QUEUE_NAME: `serial:${linesPerSecond}`,
        TELEMETRY_DATA: data,
      }
      const hub = runHub(['--config', files.hub], env)
      const processor = runProcessor(['--config', files.processor], { ...env, NUM_WORKERS: '1' })
      const url = await processor.ready()
      // Told when the port is open: what was sent before is not read.
      await pty.readUntil('go')
      await play(pty, linesPerSecond)

      const samples = recording.length * CHANNELS.length
      await hub.reaches('all delivered', ({ ledger }) => ledger.delivered === samples)
      await processor.reaches('all settled', ({ ledger }) => ledger.settled === samples)
      await checkFindings(url)
      const hubEnd = await hub.stop()
      const processorEnd = await processor.stop()
      await pty.unplug()
      const { accepted, delivered, inFlight, dropped } = hubEnd.ledger
      assert.deepEqual([accepted, delivered, inFlight, dropped], [samples, samples, 0, 0])
      assert.equal(processorEnd.ledger.inFlight, 0)
      assert.equal(processorEnd.backlog.samples, 0)
    })
  }
})

async function writeConfigs(directory: string, pty: Pty): Promise<{ hub: string; processor: string }> {
  const files = { hub: join(directory, 'hub.yaml'), processor: join(directory, 'processor.yaml') }
  await writeFile(
    files.hub,
    `devices:
  room:
    driver: line
    path: ${pty.path}
    start_command: go
    format: whitespace
    skip_first_line: false
    fields: [date, time, temperature, humidity]
    columns: [{ field: temperature, unit: celsius }, { field: humidity, unit: percent }]
    time: { fields: [date, time], format: iso }
`,
  )
  await writeFile(
    files.processor,
    `handlers:
  - type: telemetry.analyze
  - { type: telemetry.aggregate, sizes_ms: [1h], allowed_lateness_ms: 0 }
  - type: telemetry.alert
    rules: [{ name: warm, channel: temperature, above: ${WARM.above}, reset: ${WARM.reset} }]
`,
  )
  return files
}

async function play(pty: Pty, linesPerSecond: number): Promise<void> {
  const program = repositoryFile('dist/test/support/play-recording.js')
  const player = spawn(process.execPath, [program, RECORDING, pty.devicePath, String(linesPerSecond)], {
    stdio: 'inherit',
  })
  const [code] = await once(player, 'exit')
  assert.equal(code, 0)
}

async function checkFindings(url: string): Promise<void> {
  for (const channel of CHANNELS) {
    const [summary] = await findings(url, 'telemetry.analyze', channel)
    checkMoments(summary!.body, momentsOf(recording.map((reading) => reading[channel])))
    const windows = await findings(url, 'telemetry.aggregate', channel)
    const expected = closedHours(recording)
    assert.equal(windows.length, expected.size)
    for (const { body } of windows) {
      const readings = expected.get(body.startUs as number)
      assert.ok(readings !== undefined, `no hour begins at ${body.startUs}`)
      checkMoments(body, momentsOf(readings.map((reading) => reading[channel])))
    }
  }
  const alerts = await findings(url, 'telemetry.alert', 'temperature')
  assert.deepEqual(
    alerts.map(({ body }) => [body.activeAtUs, body.state]).sort(byFirst),
    warmSpells(recording).sort(byFirst),
  )
}

async function findings(url: string, handler: string, channel: string): Promise<Finding[]> {
  const query = `${url}/findings?handler=${handler}&device=room&channel=${channel}&limit=1000`
  return ((await (await fetch(query)).json()) as { findings: Finding[] }).findings
}

function checkMoments(body: Finding['body'], expected: ReturnType<typeof momentsOf>): void {
  assert.deepEqual([body.count, body.min, body.max], [expected.count, expected.min, expected.max])
  assert.ok(Math.abs((body.mean as number) - expected.mean) < 1e-12 * expected.mean)
  const deviation = (body.standardDeviation as number | null) ?? Number.NaN
  if (expected.count > 1) assert.ok(Math.abs(deviation - expected.standardDeviation) < 1e-9)
}

/** Readings by the start of their hour, of all hours but the last, which nothing has closed yet. */
function closedHours(readings: readonly RecordedReading[]): Map<number, RecordedReading[]> {
  const hours = new Map<number, RecordedReading[]>()
  for (const reading of readings) {
    const startUs = Math.floor(reading.takenAtUs / HOUR_US) * HOUR_US
    hours.set(startUs, [...(hours.get(startUs) ?? []), reading])
  }
  hours.delete(Math.max(...hours.keys()))
  return hours
}

/** Each time the temperature rises above the threshold until it comes back to the reset value: its start and end state. */
function warmSpells(readings: readonly RecordedReading[]): [number, string][] {
  const spells: [number, string][] = []
  let isWarm = false
  for (const { takenAtUs, temperature } of readings) {
    if (!isWarm && temperature > WARM.above) spells.push([takenAtUs, 'firing'])
    else if (isWarm && temperature <= WARM.reset) spells[spells.length - 1]![1] = 'resolved'
    isWarm = isWarm ? temperature > WARM.reset : temperature > WARM.above
  }
  return spells
}

function byFirst([left]: readonly unknown[], [right]: readonly unknown[]): number {
  return (left as number) - (right as number)
}
