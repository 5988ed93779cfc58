import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { driver as bme280 } from '#src/hub/drivers/bme280/driver'
import type { VirtualI2cDevice } from '#src/hub/drivers/contract/virtual-device'
import { optionsOf } from '#test/support/driver-options'
import { hubCommand } from '#test/support/hub-command'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { BusServer } from './bus-server.js'
import { shimmed } from './shim.js'

const directory = await temporaryDirectory('hub-tools')
const server = await BusServer.start(directory)
after(() => server.close())
const env = shimmed(directory, server.socketPath)
const hub = (...args: string[]) => hubCommand(args, { env, cwd: directory })

const roof = bme280.emulate(optionsOf(bme280), 'i2c') as VirtualI2cDevice
roof.set('temperature', 21.5)
roof.set('pressure', 100_653)
roof.set('relative_humidity', 45)
server.plugI2c(1, 0x76, roof)

const AT_ROOF = ['--driver', 'bme280', '--bus', '/dev/i2c-1', '--address', '0x76']

describe('hub read of an I2C chip', () => {
  it('reads it without a configuration', async () => {
    const { status, out, err } = await hub('read', ...AT_ROOF)
    assert.equal(err, '')
    assert.equal(status, 0)
    assert.match(out, /^device \(bme280 on \/dev\/i2c-1\) {2}\d{4}-\d\d-\d\dT/)
    assert.match(out, /temperature +21\.\d+ +Cel +good/)
    assert.match(out, /pressure +1006\d\d(\.\d+)? +Pa +good/)
  })

  it('explains the values from the bytes on the wire', async () => {
    const { status, out } = await hub('read', ...AT_ROOF, '--explain')
    assert.equal(status, 0)
    assert.match(out, / ms {2}write-read {2}> D0 {2}< 60\n/)
    assert.match(out, / ms {2}write-read {2}> F2 {2}< ([\dA-F]{2} ?){13}\n/)
    assert.match(out, /^ {2}setup {2}[\da-f]{60,}\n/m)
    assert.match(out, /t_fine/)
  })

  it('gives so many readings as JSON', async () => {
    const { out } = await hub('read', ...AT_ROOF, '-n', '3', '--json', '--raw')
    const readings = JSON.parse(out) as { at: string; raw: string; values: { channel: string }[] }[]
    assert.equal(readings.length, 3)
    assert.ok(readings[0]!.at < readings[2]!.at)
    assert.match(readings[0]!.raw, /^[\da-f]{26}$/)
    assert.deepEqual(
      readings[0]!.values.map(({ channel }) => channel),
      ['temperature', 'pressure', 'relative_humidity'],
    )
  })

  it('says in a sentence why there is nothing to read', async () => {
    const { status, out, err } = await hub('read', '--driver', 'bme280', '--bus', '/dev/i2c-1', '--address', '0x77')
    assert.equal(status, 1)
    assert.equal(out, '')
    assert.match(err, /^Nothing acknowledges at address 0x77 of \/dev\/i2c-1: check wiring, power and address\.\n/)
  })

  it('refuses an address that the chip cannot have, and a driver that is not there', async () => {
    const wrong = await hub('read', '--driver', 'bme280', '--bus', '/dev/i2c-1', '--address', '0x20')
    assert.equal(wrong.status, 2)
    assert.match(wrong.err, /devices\.device\.address: 0x20 is none that bme280 can have/)
    const unknown = await hub('read', '--driver', 'bme281', '--bus', '/dev/i2c-1')
    assert.equal(unknown.status, 2)
    assert.match(unknown.err, /did you mean bme280\?/)
  })
})
