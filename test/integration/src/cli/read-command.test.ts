import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { driver as modbusTcp } from '#src/hub/drivers/modbus-tcp/driver'
import { optionsOf } from '#test/support/driver-rig'
import { hubCommand } from '#test/support/hub-command'
import { lineOverTcp } from '#test/support/line-over-tcp'
import { startPty } from '#test/support/pty'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('read-command')
const hub = (...args: string[]) => hubCommand(args, { cwd: directory })

async function configOf(yaml: string): Promise<string> {
  const file = join(directory, 'hub.yaml')
  await writeFile(file, yaml)
  return file
}

describe('hub read', () => {
  it('reads a device of the configuration from files of the kernel', async () => {
    const folder = join(directory, 'class/hwmon/hwmon0')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'name'), 'cpu_thermal\n')
    await writeFile(join(folder, 'temp1_input'), '48312\n')
    const config = await configOf(`
devices:
  cpu: { driver: hwmon, bus: { type: file, root: ${directory} }, inputs: [temp1] }
`)
    const { status, out, err } = await hub('read', 'cpu', '--config', config)
    assert.equal(err, '')
    assert.equal(status, 0)
    const [head, titles, row] = out.split('\n')
    assert.match(head!, /^cpu \(hwmon on .+\) {2}\d{4}-/)
    assert.match(titles!, /^ *CHANNEL +VALUE {2}UNIT {2}QUALITY$/)
    assert.match(row!, /^ *temp1 +48\.312 {2}Cel {3}good$/)
    const wrong = await hub('read', 'cpo', '--config', config)
    assert.equal(wrong.status, 2)
    assert.equal(wrong.err, 'There is no device cpo. Did you mean cpu?\n')
  })

  it('shows what the hub stores when the channels of the device change it', async () => {
    const config = await configOf(`
devices:
  cpu:
    driver: hwmon
    bus: { type: file, root: ${directory} }
    inputs: [temp1]
    channels: { temp1: { unit: K, range: [0, 320] } }
`)
    const { out, err } = await hub('read', 'cpu', '--config', config)
    assert.equal(err, '')
    assert.match(out, /temp1 +48\.312 {2}Cel {3}good\n {2}as the hub stores it:\n.*\n +temp1 +321\.462 {2}K +range\n$/)
  })

  it('reads registers of a Modbus device that the command line describes', async () => {
    const options = optionsOf(modbusTcp, { unit_id: 3, registers: { voltage: { holding: 0, scale: 0.1, unit: 'V' } } })
    const meter = modbusTcp.emulate(options, 'tcp') as VirtualLineDevice
    meter.set('voltage', 230.4)
    const port = await lineOverTcp(meter)
    const own = '{ unit_id: 3, registers: { voltage: { holding: 0, scale: 0.1, unit: V } } }'
    const args = ['--driver', 'modbus-tcp', '--bus', `127.0.0.1:${port}`, '--options', own]
    const { status, out, err } = await hub('read', ...args, '--explain')
    assert.equal(err, '')
    assert.equal(status, 0)
    assert.match(out, / ms {2}exchange {4}> ([\dA-F]{2} ){6}03 03 00 00 00 01 {2}< ([\dA-F]{2} ){6}03 03 02 09 00\n/)
    assert.match(out, /voltage +230\.4\d* +2304 x 0\.1 \+ 0\n/)
    assert.match(out, /voltage +230\.4 {2}V +good\n/)
    const other = own.replace('unit_id: 3', 'unit_id: 4')
    const silent = await hub('read', '--driver', 'modbus-tcp', '--bus', `127.0.0.1:${port}`, '--options', other)
    assert.equal(silent.status, 1)
    assert.match(silent.err, /^No answer on 127\.0\.0\.1:\d+ within 1000 ms/)
  })

  it('says what to do while a running hub holds the serial line', { timeout: 60_000 }, async () => {
    const pty = await startPty()
    const config = await configOf(`
devices:
  arduino: { driver: line, path: ${pty.path}, format: csv, fields: [level], settle_ms: 0 }
`)
    const running = runHub(['--config', config, '--data', join(directory, 'data')])
    const url = await running.ready()
    const port = new URL(url).port
    await running.reaches('it has the line', ({ uptimeSeconds }) => uptimeSeconds > 0.5)
    const { status, err } = await hub('read', 'arduino', '--config', config, '--port', port)
    await running.stop()
    await pty.unplug()
    assert.equal(status, 1)
    assert.match(err, /is in use by another program: end that program\. A hub runs at http:\/\/127\.0\.0\.1:\d+/)
    assert.match(err, /"hub trace arduino".*curl -X POST http:\/\/127\.0\.0\.1:\d+\/stop/)
  })

  it('reads what a source gives, so many times', async () => {
    const config = await configOf('devices:\n  demo: { driver: sim, every: 5ms }\n')
    const { status, out } = await hub('read', 'demo', '--config', config, '-n', '2', '--json')
    assert.equal(status, 0)
    const readings = JSON.parse(out) as { device: string; values: { unit: string; quality: string }[] }[]
    assert.equal(readings.length, 2)
    assert.deepEqual([readings[0]!.device, readings[0]!.values[0]!.quality], ['demo', 'good'])
  })

  it('refuses what it cannot mean', async () => {
    const cases: [string[], RegExp][] = [
      [['read'], /^Which device\? Name a device/],
      [['read', 'roof', '--config', 'none.yaml'], /--config none\.yaml: there is no such file/],
      [['read', 'roof'], /There is no device roof\. Give the configuration with --config/],
      [['read', '--bus', '/dev/i2c-1'], /--bus needs --driver/],
      [['read', 'sim', '-n', '0'], /-n must be a whole number/],
      [['read', '--driver', 'bme280', '--bus', 'i2c1'], /there is no bus i2c1/],
      [['read', '--driver', 'bme280', '--options', '[1'], /--options is no YAML/],
      [['read', 'a', 'b'], /give one device/],
    ]
    for (const [args, message] of cases) {
      const { status, err } = await hub(...args)
      assert.match(err, message)
      assert.equal(status, 2, args.join(' '))
    }
  })
})
