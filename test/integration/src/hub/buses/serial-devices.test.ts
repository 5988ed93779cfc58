import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BusRegistry } from '#src/hub/buses/bus-registry'
import type { SerialBusSettings } from '#src/hub/buses/bus-settings'
import { systemBusTime } from '#src/hub/buses/bus-time'
import { linkOpener } from '#src/hub/buses/open-link'
import { findSerialPort } from '#src/hub/buses/serial-match'
import { Device, type DeviceTransition } from '#src/hub/devices/device'
import { DEVICE_POLICY_DEFAULTS } from '#src/hub/devices/device-policy'
import { PolledRunner } from '#src/hub/devices/polled-runner'
import { ReadingFigures } from '#src/hub/devices/reading-figures'
import { StreamRunner } from '#src/hub/devices/stream-runner'
import { askingDriver } from '#test/support/asking-driver'
import { startPty } from '#test/support/pty'
import { answerOn } from '#test/support/pty-unit'
import { RecordingSink } from '#test/support/recording-sink'
import { driver as talkingDriver } from '#test/support/talking-driver'

const LINE = { kind: 'serial', baudRate: 115_200, dataBits: 8, parity: 'none', stopBits: 1 } as const

async function temporary() {
  return mkdtemp(join(tmpdir(), 'telemetryhub-serial-'))
}

function build(at: SerialBusSettings['at'], roots = { sys: '/sys', dev: '/dev' }) {
  const time = systemBusTime
  const buses = new BusRegistry({ time, open: linkOpener(time, roots) })
  const bus = buses.busFor({ name: 'line', settings: { ...LINE, at }, budget: 0.7 }, '')
  const sink = new RecordingSink()
  const figures = new ReadingFigures({ device: 'meter' })
  const parts = { device: 'meter', keepRaw: false, sink, time, clock: time, figures, observation: buses.observation }
  const transitions: DeviceTransition[] = []
  const watchers: { state: string; resolve: () => void }[] = []
  const finish = (driver: PolledRunner | StreamRunner) => {
    const device = new Device({
      name: 'meter',
      driver,
      clock: time,
      policy: { ...DEVICE_POLICY_DEFAULTS, retryBaseMs: 5, retryMaxMs: 20 },
      onTransition: (transition) => {
        transitions.push(transition)
        for (const watcher of watchers.splice(0)) {
          if (watcher.state === transition.to) watcher.resolve()
          else watchers.push(watcher)
        }
      },
    })
    /** Resolves at the next transition to the state. */
    const next = (state: string) => new Promise<void>((resolve) => watchers.push({ state, resolve }))
    return { device, sink, figures, transitions, next, bus }
  }
  return {
    polled: () =>
      finish(
        new PolledRunner({
          ...parts,
          driver: askingDriver,
          options: { unit: 3 },
          seat: bus.join('meter', 100),
          port: {},
          everyMs: 10,
        }),
      ),
    stream: (silence: number) =>
      finish(new StreamRunner({ ...parts, driver: talkingDriver, options: { silence }, seat: bus.join('meter', 100) })),
  }
}

/** Sysfs as it shows USB serial adapters, and nodes that lead to pseudo terminals. */
async function usbTree(adapters: Record<string, { serial: string; port: string; path: string }>) {
  const root = await temporary()
  const [sys, dev] = [join(root, 'sys'), join(root, 'dev')]
  await mkdir(join(sys, 'class', 'tty'), { recursive: true })
  await mkdir(dev)
  const plug = async (name: string, { serial, port, path }: { serial: string; port: string; path: string }) => {
    const usb = join(sys, 'devices', 'usb1', port)
    const tty = join(usb, `${port}:1.0`, name)
    await mkdir(join(tty, 'tty', name), { recursive: true })
    await Promise.all([
      writeFile(join(usb, 'idVendor'), '0403\n'),
      writeFile(join(usb, 'idProduct'), '6001\n'),
      writeFile(join(usb, 'serial'), `${serial}\n`),
    ])
    await mkdir(join(sys, 'class', 'tty', name))
    await symlink(tty, join(sys, 'class', 'tty', name, 'device'))
    await symlink(path, join(dev, name))
  }
  const unplug = async (name: string) => {
    await rm(join(sys, 'class', 'tty', name), { recursive: true })
    await rm(join(dev, name))
  }
  for (const [name, adapter] of Object.entries(adapters)) await plug(name, adapter)
  // A port that is on no USB.
  await mkdir(join(sys, 'class', 'tty', 'ttyS0'))
  return { roots: { sys, dev }, plug, unplug, end: () => rm(root, { recursive: true }) }
}

test('a device on a real terminal is polled, unplugged, and comes back by itself', { timeout: 30_000 }, async () => {
  const dir = await temporary()
  const path = join(dir, 'by-id')
  const first = await startPty(path)
  await answerOn(first, 3, 40)
  const { device, sink, figures, next, bus } = build({ path }).polled()
  await device.start()
  await sink.until(() => sink.readings.length === 20)
  assert.deepEqual(sink.readings[0].values, { level: 140 })
  assert.ok(bus.utilization > 0)
  const lost = next('Error')
  await first.unplug()
  await lost
  assert.notEqual(figures.fault, undefined)
  const back = next('Measuring')
  const second = await startPty(path)
  await answerOn(second, 3, 41)
  await back
  const seen = sink.readings.length
  await sink.until(() => sink.readings.length > seen + 5)
  assert.equal(figures.fault, undefined)
  await device.stop(1000)
  assert.equal(device.state, 'Idle')
  await second.unplug()
  await rm(dir, { recursive: true })
})

test('an adapter that comes back under another name is found by what it is', { timeout: 30_000 }, async () => {
  const first = await startPty()
  const other = await startPty()
  await answerOn(first, 3, 1)
  const tree = await usbTree({
    ttyUSB0: { serial: 'A50285BI', port: '1-1.2', path: first.path },
    ttyUSB1: { serial: 'B7', port: '1-1.3', path: other.path },
  })
  const { device, sink, next } = build({ match: { usbSerial: 'A50285BI', vid: '0403' } }, tree.roots).polled()
  await device.start()
  await sink.until(() => sink.readings.length === 5)
  const lost = next('Error')
  await first.unplug()
  await tree.unplug('ttyUSB0')
  await lost
  // The other adapter is now first, and the device's second.
  await tree.unplug('ttyUSB1')
  const second = await startPty()
  await answerOn(second, 3, 2)
  const back = next('Measuring')
  await tree.plug('ttyUSB0', { serial: 'B7', port: '1-1.3', path: other.path })
  await tree.plug('ttyUSB2', { serial: 'A50285BI', port: '1-1.4', path: second.path })
  await back
  await sink.until(() => sink.readings.at(-1)?.values.level === 102)
  await device.stop(1000)
  await Promise.all([second.unplug(), other.unplug(), tree.end()])
})

test('adapters that cannot be told apart are refused with their names, and one that is missing with what there is', async () => {
  const tree = await usbTree({
    ttyUSB0: { serial: '0001', port: '1-1.2', path: '/nowhere' },
    ttyUSB1: { serial: '0001', port: '1-1.3', path: '/nowhere' },
  })
  await assert.rejects(findSerialPort({ vid: '0403', usbSerial: '0001' }, tree.roots), {
    code: 'TLM_BUS_UNAVAILABLE',
    message: `usb_serial 0001, vid 0403 matches ${tree.roots.dev}/ttyUSB0 (port 1-1.2) and ${tree.roots.dev}/ttyUSB1 (port 1-1.3): add usb_serial or port to match, so that one is left.`,
  })
  assert.equal(await findSerialPort({ port: '1-1.3' }, tree.roots), `${tree.roots.dev}/ttyUSB1`)
  await assert.rejects(
    findSerialPort({ pid: 'ea60' }, tree.roots),
    /No serial adapter with pid ea60.*ttyUSB0 \(.*1-1\.2/,
  )
  await tree.end()
})

test('a device that talks is started, read, found silent, and stopped', { timeout: 30_000 }, async () => {
  const pty = await startPty()
  const { device, sink, figures, next } = build({ path: pty.path }).stream(300)
  await device.start()
  await pty.readUntil('go\n')
  await pty.write('noise<1<9<')
  await pty.write('2')
  await sink.until(() => sink.readings.length === 2)
  assert.deepEqual(
    sink.readings.map(({ values }) => values.digit),
    [1, 2],
  )
  await next('Error')
  assert.equal(figures.reads.get('crc'), 1)
  assert.equal(figures.skippedBytes, 5)
  assert.match(device.snapshot().reason, /No frame for 300 ms/)
  await pty.readUntil('go\n')
  await pty.write('<3')
  await sink.until(() => sink.readings.length === 3)
  await device.stop(1000)
  await pty.readUntil('halt\n')
  assert.equal(device.state, 'Idle')
  await pty.unplug()
})
