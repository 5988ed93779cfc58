import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '#core/time/clock'
import { Device } from '#src/hub/devices/device'
import { DEVICE_POLICY_DEFAULTS } from '#src/hub/devices/device-policy'
import { createLineDriver } from '#src/hub/drivers/line/line-driver'
import { LINE_DEFAULTS } from '#src/hub/drivers/line/line-options'
import { RecordingSink } from '#test/support/recording-sink'

const SIMULATOR = fileURLToPath(new URL('../../../device-simulator.js', import.meta.url))

test('a real serial port of it is measured by the line driver', { timeout: 30_000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'device-simulator-'))
  const path = join(folder, 'sensor')
  const program = `EXEC:"${process.execPath} ${SIMULATOR}"`
  const socat = spawn('socat', ['-d', '-d', `PTY,link=${path},raw,echo=0`, program], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    await joins(socat)
    const sink = new RecordingSink()
    const driver = createLineDriver(
      { ...LINE_DEFAULTS, path, skipFirstLine: false, startCommand: 'SET_RATE=10\nSTART', stopCommand: 'STOP' },
      { device: 'bench', sink, clock: systemClock, everyMs: 100 },
    )
    const policy = { ...DEVICE_POLICY_DEFAULTS, retryBaseMs: 5, retryMaxMs: 20 }
    const device = new Device({ name: 'bench', driver, clock: systemClock, policy })
    await device.start()
    await sink.until(() => sink.readings.length >= 5)
    await device.stop(1000)
    const values = sink.readings.map((reading) => reading.values as Record<string, number>)
    assert.deepEqual(
      values.slice(0, 5).map(({ Seq }) => Seq),
      [0, 1, 2, 3, 4],
    )
    assert.ok(values.every(({ SAMPLE }) => SAMPLE > 40 && SAMPLE < 44))
  } finally {
    const ended = once(socat, 'exit')
    socat.kill()
    await ended
    await rm(folder, { recursive: true })
  }
})

test('over TCP one connection after another has the device, which keeps its state', { timeout: 30_000 }, async () => {
  const simulator = spawn(process.execPath, [SIMULATOR, '--tcp', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [banner] = (await once(simulator.stdout, 'data')) as [Buffer]
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(banner.toString())?.[1])
    assert.deepEqual(await ask(port, 'START\nCALIBRATE\n', 2), ['OK: Measuring', 'OK: Calibrated'])
    const [status] = await ask(port, 'GET_STATUS\n', 1)
    assert.match(status, /^STATUS: Measuring, Seq=\d+$/)
  } finally {
    const ended = once(simulator, 'exit')
    simulator.kill()
    await ended
  }
})

/** The answers to commands, samples left out. */
async function ask(port: number, commands: string, count: number): Promise<string[]> {
  const socket = connect(port, '127.0.0.1')
  socket.write(commands)
  const answers: string[] = []
  for await (const line of createInterface({ input: socket })) {
    if (!line.startsWith('SAMPLE')) answers.push(line)
    if (answers.length === count) break
  }
  socket.destroy()
  return answers
}

/** Resolves when socat has made the port and started the program. */
async function joins(socat: ChildProcess): Promise<void> {
  let log = ''
  for await (const chunk of socat.stderr!) {
    log += String(chunk)
    if (log.includes('starting data transfer loop')) break
  }
  assert.match(log, /starting data transfer loop/)
}
