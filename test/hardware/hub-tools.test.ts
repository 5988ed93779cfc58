import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { driver as ads1115 } from '#src/hub/drivers/ads1115/driver'
import { driver as bh1750 } from '#src/hub/drivers/bh1750/driver'
import { driver as bme280 } from '#src/hub/drivers/bme280/driver'
import type { OptionShape } from '#src/hub/drivers/contract/option-fields'
import type { VirtualI2cDevice } from '#src/hub/drivers/contract/virtual-device'
import { driver as ina219 } from '#src/hub/drivers/ina219/driver'
import { driver as mpu6050 } from '#src/hub/drivers/mpu6050/driver'
import { driver as sht3x } from '#src/hub/drivers/sht3x/driver'
import { driver as sht4x } from '#src/hub/drivers/sht4x/driver'
import { optionsOf } from '#test/support/driver-rig'
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

describe('hub scan of an I2C bus', () => {
  for (const [address, driver] of [
    [0x44, sht3x],
    [0x46, sht4x],
    [0x48, ads1115],
    [0x40, ina219],
    [0x68, mpu6050],
  ] as const) {
    server.plugI2c(2, address, driver.emulate(optionsOf<OptionShape>(driver) as never, 'i2c') as VirtualI2cDevice)
  }
  server.plugI2c(2, 0x20, {
    bus: 'i2c',
    set() {},
    powerCycle() {},
    write: ({ length }) => length,
    read: (count) => new Uint8Array(count),
  })
  server.plugI2c(2, 0x23, bh1750.emulate(optionsOf(bh1750), 'i2c') as VirtualI2cDevice)
  server.plugI2c(2, 0x77, roof)
  server.bindByKernel(2, 0x77)

  it('names the driver of each chip and how certain it is, and says what the kernel holds', async () => {
    const { status, out, err } = await hub('scan', 'i2c', '--bus', '/dev/i2c-2')
    assert.equal(err, '')
    assert.equal(status, 0)
    const lines = out.split('\n').map((line) => line.replace(/ {2,}/g, '  '))
    assert.deepEqual(lines.slice(0, 9), [
      'FIND  DRIVER  CERTAINTY  WHAT',
      'i2c-2/0x20  -  possible  answers; no driver has this address',
      'i2c-2/0x23  -  possible  answers; could be bh1750, which a scan cannot tell',
      'i2c-2/0x40  ina219  likely  register 0 reads 0x399F',
      'i2c-2/0x44  sht3x  likely  gives a status whose checksum fits',
      'i2c-2/0x46  sht4x  likely  gives a serial number whose checksums fit',
      'i2c-2/0x48  ads1115  likely  registers 2 and 3 read 0x8000 and 0x7FFF',
      'i2c-2/0x68  mpu6050  certain  register 0x75 reads 0x68',
      'i2c-2/0x77  -  held  held by a driver of the kernel: read it as iio or hwmon (hub scan file)',
    ])
    assert.ok(
      out.includes(
        '# i2c-2/0x68\nbuses:\n  i2c-2: { type: i2c, path: /dev/i2c-2 }\ndevices:\n  NAME: { driver: mpu6050, bus: i2c-2, address: 0x68 }\n',
      ),
      out,
    )
  })

  it('writes a find into the configuration, which then reads it', async () => {
    const config = join(directory, 'hub.yaml')
    await writeFile(config, '# the roof\ndevices:\n  demo: { driver: sim } # stays\n')
    const added = await hub(
      'scan',
      'i2c',
      '--bus',
      '/dev/i2c-1',
      '--add',
      'i2c-1/0x76',
      '--as',
      'roof',
      '--config',
      config,
    )
    assert.equal(added.err, '')
    assert.equal(
      await readFile(config, 'utf8'),
      `# the roof
devices:
  demo: { driver: sim } # stays
  roof: { driver: bme280, bus: i2c-1, address: 0x76 }
buses:
  i2c-1: { type: i2c, path: /dev/i2c-1 }
`,
    )
    assert.equal((await hub('read', 'roof', '--config', config)).status, 0)
  })

  it('says why a bus cannot be looked at', async () => {
    const { status, err } = await hub('scan', 'i2c', '--bus', '/dev/i2c-9')
    assert.equal(status, 1)
    assert.match(err, /There is no .*\/dev\/i2c-9/)
  })
})
