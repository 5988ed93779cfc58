import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '#core/time/clock'
import { Device } from '#src/hub/devices/device'
import { DEVICE_POLICY_DEFAULTS } from '#src/hub/devices/device-policy'
import { createLineDriver } from '#src/hub/drivers/line/line-driver'
import { LINE_DEFAULTS, type LineOptions } from '#src/hub/drivers/line/line-options'
import { startPty } from '#test/support/pty'
import { RecordingSink } from '#test/support/recording-sink'

function build(path: string, options: Partial<LineOptions> = {}) {
  const sink = new RecordingSink()
  const all = { ...LINE_DEFAULTS, skipFirstLine: false, path, ...options }
  const driver = createLineDriver(all, { device: 'roof', sink, clock: systemClock, everyMs: 100 })
  const policy = { ...DEVICE_POLICY_DEFAULTS, retryBaseMs: 5, retryMaxMs: 20 }
  return { sink, driver, device: new Device({ name: 'roof', driver, clock: systemClock, policy }) }
}

test('lines of a real terminal become readings, garbage becomes counts', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { sink, device } = build(pty.path, { keepRaw: true })
  await device.start()
  await pty.write('t=20.5 h=50\r\n')
  await pty.write(Buffer.from([0xff, 0xfe, 0x80, 10, 0x74, 0x3d, 0, 10]))
  await pty.write('nonsense\nt=21.5 h=51\n')
  await sink.until(() => sink.readings.length === 2)
  assert.deepEqual(
    sink.readings.map(({ values }) => values),
    [
      { t: 20.5, h: 50 },
      { t: 21.5, h: 51 },
    ],
  )
  assert.equal(sink.readings[0].raw, 't=20.5 h=50\r')
  assert.deepEqual(Object.fromEntries(sink.rejects), { line_not_utf8: 1, line_has_nul: 1, line_unparsable: 1 })
  await device.stop(1000)
  assert.equal(device.state, 'Idle')
  await pty.unplug()
})

test('a megabyte without newline is one count, and the next line is read', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { sink, device } = build(pty.path)
  await device.start()
  await pty.write(Buffer.alloc(1_000_000, 'x'))
  await pty.write('\nt=1\n')
  await sink.until(() => sink.readings.length === 1)
  assert.deepEqual(Object.fromEntries(sink.rejects), { line_too_long: 1 })
  await device.stop(1000)
  await pty.unplug()
})

test('a full ring holds the sender, and nothing is lost', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { sink, device } = build(pty.path)
  sink.capacity = 10
  await device.start()
  const lines = Array.from({ length: 20_000 }, (_, i) => `n=${i}\n`).join('')
  const written = pty.write(lines)
  await sink.until(() => sink.refusals > 0)
  sink.makeRoom(Number.POSITIVE_INFINITY)
  await Promise.all([written, sink.until(() => sink.readings.length === 20_000)])
  assert.ok(sink.readings.every(({ values }, i) => values.n === i))
  await device.stop(1000)
  await pty.unplug()
})

test('a device unplugged and put back under its path goes on without an operator', { timeout: 20_000 }, async () => {
  const dir = await mkdtemp(join(tmpdir(), 'telemetryhub-pty-'))
  const link = join(dir, 'by-id')
  const first = await startPty(link)
  const { sink, device } = build(link)
  await device.start()
  // In one write, so that the half line has been read too when the whole one has.
  await first.write('t=1\nt=2')
  await sink.until(() => sink.readings.length === 1)
  await first.unplug()
  await sink.until(() => sink.rejects.has('line_incomplete'))
  await rm(link, { force: true })
  const second = await startPty(link)
  while (device.state !== 'Measuring') await new Promise((resolve) => setImmediate(resolve))
  await second.write('t=3\n')
  await sink.until(() => sink.readings.length === 2)
  assert.deepEqual(sink.readings[1].values, { t: 3 })
  assert.equal(device.snapshot().recoveries, 1)
  await device.stop(1000)
  await second.unplug()
  await rm(dir, { recursive: true })
})

test('a hang-up while nobody reads is noticed at the next read', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { driver } = build(pty.path)
  await driver.open()
  await pty.unplug()
  await assert.rejects(driver.run(new AbortController().signal), { code: 'TLM_BUS_UNAVAILABLE', message: /was lost/ })
  await driver.close()
})

test('start and stop commands reach the device', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { device } = build(pty.path, { startCommand: 'SET_RATE=100', stopCommand: 'RESET' })
  await device.start()
  assert.equal(await pty.readUntil('\n'), 'SET_RATE=100\n')
  await device.stop(1000)
  assert.equal(await pty.readUntil('\n'), 'RESET\n')
  await pty.unplug()
})

test('the first line after opening is skipped unless told otherwise', { timeout: 20_000 }, async () => {
  const pty = await startPty()
  const { sink, device } = build(pty.path, { skipFirstLine: true })
  await device.start()
  await pty.write('0.1\nt=20.1\n')
  await sink.until(() => sink.readings.length === 1)
  assert.deepEqual(Object.fromEntries(sink.rejects), { line_partial: 1 })
  await device.stop(1000)
  await pty.unplug()
})

test('a port that is not there says what to do', async () => {
  const { driver } = build('/dev/telemetryhub-absent')
  await assert.rejects(driver.open(), { code: 'TLM_BUS_UNAVAILABLE', message: /telemetryhub-absent.*by-id/ })
  await driver.close()
})

test('binary frames of a real terminal become readings, and unreadable lines are named as a wrong baud rate', {
  timeout: 20_000,
}, async () => {
  const pty = await startPty()
  const { sink, device } = build(pty.path, { format: 'struct', struct: { layout: '<hB', start: 'aa55' } })
  await device.start()
  await pty.write(Buffer.from('00aa55feff0aaa55', 'hex'))
  await pty.write(Buffer.from('0d0a11', 'hex'))
  await sink.until(() => sink.readings.length === 2)
  assert.deepEqual(
    sink.readings.map(({ values }) => values),
    [
      { value_1: -2, value_2: 10 },
      { value_1: 0x0a0d, value_2: 0x11 },
    ],
  )
  await device.stop(1000)
  const text = build(pty.path)
  await text.device.start()
  await pty.write(Buffer.from(Array.from({ length: 256 }, (_, at) => (at * 89) & 0xff)))
  await text.sink.until(() => text.sink.rejects.has('wrong_baud_rate'))
  await text.device.stop(1000)
  await pty.unplug()
})
