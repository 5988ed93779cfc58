import assert from 'node:assert/strict'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { driver as modbusTcp } from '#src/hub/drivers/modbus-tcp/driver'
import { optionsOf } from '#test/support/driver-rig'
import { hubCommand } from '#test/support/hub-command'
import { lineOverTcp } from '#test/support/line-over-tcp'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('record-command')
const hub = (...args: string[]) => hubCommand(args, { cwd: directory })

const registers = { voltage: { holding: 0, scale: 0.1, unit: 'V' } }
const meter = modbusTcp.emulate(optionsOf(modbusTcp, { unit_id: 3, registers }), 'tcp') as VirtualLineDevice
meter.set('voltage', 230.4)
const port = await lineOverTcp(meter)

async function configOf(name: string, scale: number, rest = ''): Promise<string> {
  const file = join(directory, name)
  const yaml = `devices:
  meter:
    driver: modbus-tcp
    bus: { type: tcp, host: 127.0.0.1, port: ${port} }
    unit_id: 3
    every: 20ms
    registers: { voltage: { holding: 0, scale: ${scale}, unit: V } }
${rest}`
  await writeFile(file, yaml)
  return file
}

describe('a recording', () => {
  it('decodes again to its values, and with another scale to others', { timeout: 60_000 }, async () => {
    const config = await configOf('hub.yaml', 0.1)
    const { status, out, err } = await hub('record', 'meter', '--out', 'a.ndjson', '--for', '400ms', '--config', config)
    assert.equal(err, '')
    assert.equal(status, 0)
    assert.match(out, /^a\.ndjson: \d+ records, \d+(\.\d)? K?i?B\n$/)
    const records = Number(/(\d+) records/.exec(out)![1])
    assert.ok(records >= 2, out)

    const again = await hub('replay', 'a.ndjson')
    assert.equal(again.status, 0)
    const rows = again.out.trim().split('\n')
    assert.equal(rows[0], 'at,device,channel,value,unit,quality')
    assert.equal(rows.length, records + 1)
    assert.match(rows[1]!, /^\d{4}-[\dT:.-]+Z,meter,voltage,230\.4\d*,V,good$/)

    const same = await hub('replay', 'a.ndjson', '--diff')
    assert.deepEqual([same.status, same.out.trim().split('\n').length], [0, 1])
    assert.match(same.err, /0 records of other values than then\n$/)

    const other = await hub('replay', 'a.ndjson', '--diff', '--json', '--config', await configOf('other.yaml', 0.01))
    assert.equal(other.status, 1)
    const [first] = other.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { value: number; recorded: number })
    assert.deepEqual([first!.value.toFixed(2), first!.recorded.toFixed(1)], ['23.04', '230.4'])

    const { length } = await readFile(join(directory, 'a.ndjson'))
    await truncate(join(directory, 'a.ndjson'), length - 5)
    const torn = await hub('replay', 'a.ndjson')
    assert.equal(torn.status, 0)
    assert.equal(torn.out.trim().split('\n').length, records)
    assert.match(torn.err, new RegExp(`^${records - 1} records?, 1 line left out as damaged or torn\\n$`))
  })

  it('comes from the flight recorder of a running hub, when that is on', { timeout: 60_000 }, async () => {
    const dir = join(directory, 'dumps')
    const config = await configOf('flight.yaml', 0.1, `recorder: { keep: 10min, dir: ${dir} }\n`)
    const running = runHub(['--config', config, '--data', join(directory, 'data')])
    const at = ['--config', config, '--port', new URL(await running.ready()).port]
    await running.reaches('it has read', ({ ledger }) => ledger.delivered > 5)
    const { status, out, err } = await hub('record', '--from-hub', '--json', ...at)
    await running.stop()
    assert.equal(err, '')
    assert.equal(status, 0)
    const { file, records } = JSON.parse(out) as { file: string; records: number }
    assert.ok(file.startsWith(dir) && records > 5, out)
    assert.equal((await hub('replay', file, '--diff')).status, 0)
  })

  it('is refused by a hub whose recorder is off', { timeout: 60_000 }, async () => {
    const config = await configOf('off.yaml', 0.1)
    const running = runHub(['--config', config, '--data', join(directory, 'data-off')])
    const at = ['--config', config, '--port', new URL(await running.ready()).port]
    const { status, err } = await hub('record', '--from-hub', ...at)
    await running.stop()
    assert.equal(status, 2)
    assert.match(err, /^The flight recorder of this hub is off\. Set recorder\.keep/)
  })

  it('is refused when it cannot be made, or is none', async () => {
    const config = await configOf('hub.yaml', 0.1)
    await writeFile(join(directory, 'text'), 'no recording\n')
    await writeFile(join(directory, 'newer'), '{"telemetryhub_recording":9,"devices":{}}\n')
    const cases: [string[], RegExp][] = [
      [['record', 'meter', '--config', config], /where to\? Give --out FILE/],
      [['record', 'meter', '--config', config, '--out', 'text'], /--out text is there already/],
      [['record', 'meter', '--config', config, '--out', 'b', '--for', 'ever'], /--for must be a duration/],
      [['record', '--out', 'b'], /^Which device\?/],
      [['record', 'sim', '--out', 'b'], /sim \(sim\) has no bytes to record/],
      [['replay'], /give the file of one recording/],
      [['replay', 'none'], /none cannot be read/],
      [['replay', 'text'], /text is no recording/],
      [['replay', 'newer'], /of version 9, this hub reads 1/],
    ]
    for (const [args, message] of cases) {
      const { status, err } = await hub(...args)
      assert.match(err, message)
      assert.equal(status, 2, args.join(' '))
    }
  })
})
