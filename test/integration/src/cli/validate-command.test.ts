import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { hubCommand } from '#test/support/hub-command'
import { temporaryDirectory } from '#test/support/temporary-directory'

const directory = await temporaryDirectory('validate-command')
const config = join(directory, 'hub.yaml')

async function validate(yaml: string, ...args: string[]) {
  await writeFile(config, yaml)
  return hubCommand(['validate', '--config', config, ...args], { cwd: directory })
}

const GOOD = `
buses:
  i2c1: { type: i2c, path: /dev/i2c-1, speed: 100kHz }
devices:
  roof: { driver: bme280, bus: i2c1, address: 0x76, every: 1s }
  demo: { driver: sim }
`

describe('hub validate', () => {
  it('prints devices, rates and how busy buses are', async () => {
    const { status, out, err } = await validate(GOOD)
    assert.equal(err, '')
    assert.equal(status, 0)
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  ').trim())
    assert.deepEqual(lines, [
      'DEVICE  DRIVER  BUS  EVERY  SAMPLES/S  CHANNELS',
      'roof  bme280  i2c1  1000 ms  3  temperature, pressure, relative_humidity',
      'demo  sim  -  -  -  as they come',
      '',
      'BUS  BUSY  BUDGET  WHERE',
      'i2c1  0.18 %  70 %  /dev/i2c-1',
      '',
      '2 devices, 3 channels, 3 samples/s of those that are asked.',
      '',
    ])
  })

  it('says it in JSON, too', async () => {
    const { out } = await validate(GOOD, '--json')
    const report = JSON.parse(out) as { devices: { device: string; samplesPerSecond: number }[]; buses: unknown[] }
    assert.equal(report.devices[0]!.samplesPerSecond, 3)
    assert.equal(report.buses.length, 1)
  })

  it('ends with 78 and every problem with its line', async () => {
    const { status, out, err } = await validate(
      GOOD.replace('every: 1s', 'every: 1ms').replace('{ driver: sim }', '{ driver: simm }'),
    )
    assert.equal(status, 78)
    assert.equal(out, '')
    assert.match(err, /hub\.yaml:5 devices\.roof\.every: bme280 with these options needs at least/)
    assert.match(err, /hub\.yaml:6 devices\.demo\.driver: .*did you mean sim\?/)
  })

  it('refuses a bus that is asked for more than it has', async () => {
    const slow = GOOD.replace('speed: 100kHz', 'speed: 1kHz').replace('every: 1s', 'every: 100ms')
    const { status, err } = await validate(slow)
    assert.equal(status, 78)
    assert.match(err, /roof at 10 Hz needs \d+ % of i2c1, whose budget is 70 %/)
  })

  it('refuses a file that is given without --config', async () => {
    const { status, err } = await hubCommand(['validate', 'hub.yaml'], { cwd: directory })
    assert.equal(status, 2)
    assert.equal(err, 'validate: give the file with --config hub.yaml.\n')
  })
})
