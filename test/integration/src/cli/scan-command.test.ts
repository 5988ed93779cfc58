import assert from 'node:assert/strict'
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { driver as modbusTcp } from '#src/hub/drivers/modbus-tcp/driver'
import { optionsOf } from '#test/support/driver-rig'
import { hubCommand } from '#test/support/hub-command'
import { lineOverTcp } from '#test/support/line-over-tcp'
import { temporaryDirectory } from '#test/support/temporary-directory'

const directory = await temporaryDirectory('scan-command')
const [sys, dev] = [join(directory, 'sys'), join(directory, 'dev')]
const hub = (...args: string[]) => hubCommand(args, { cwd: directory })

async function files(tree: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(tree)) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}

await files({
  'sys/class/hwmon/hwmon0/name': 'cpu_thermal\n',
  'sys/class/hwmon/hwmon0/temp1_input': '48312\n',
  'sys/bus/iio/devices/iio:device0/name': 'bme280\n',
  'sys/bus/iio/devices/iio:device0/in_temp_input': '21500\n',
  'sys/bus/iio/devices/iio:device0/in_pressure_input': '100.6\n',
  'sys/bus/w1/devices/28-00000a1b2c3d/w1_slave': '',
  'sys/devices/usb1/1-1/idVendor': '0403\n',
  'sys/devices/usb1/1-1/idProduct': '6001\n',
  'sys/devices/usb1/1-1/serial': 'A50285BI\n',
  'sys/devices/usb1/1-1/1-1:1.0/ttyUSB0/dev': '188:0\n',
  'dev/ttyUSB0': '',
  'dev/spidev0.0': '',
})
await mkdir(join(sys, 'class/tty/ttyUSB0'), { recursive: true })
await symlink(join(sys, 'devices/usb1/1-1/1-1:1.0/ttyUSB0'), join(sys, 'class/tty/ttyUSB0/device'))
await mkdir(join(dev, 'serial/by-id'), { recursive: true })
await symlink('../../ttyUSB0', join(dev, 'serial/by-id/usb-FTDI_FT232R_A50285BI'))
const ROOTS = ['--sys', sys, '--dev', dev]

describe('hub scan', () => {
  it('lists all that there is, with the lines to paste', async () => {
    const { status, out, err } = await hub('scan', ...ROOTS)
    assert.equal(err, '')
    assert.equal(status, 0)
    const [table, lines] = out.split('\nLines for the configuration')
    const rows = table!.split('\n').map((line) => line.replace(/ {2,}/g, '  '))
    assert.deepEqual(rows, [
      'FIND  DRIVER  CERTAINTY  WHAT',
      'ttyUSB0  -  possible  USB 0403:6001, serial A50285BI, socket 1-1',
      `spidev0.0  -  possible  a chip select; try what is there: hub read --driver NAME --bus ${dev}/spidev0.0`,
      '28-00000a1b2c3d  ds18b20  certain  1-Wire thermometer',
      'iio:device0  linux-iio  certain  bme280: pressure, temp',
      'hwmon0  hwmon  certain  cpu_thermal: temp1',
      '',
    ])
    const serial = `  ttyUSB0: { type: serial, path: ${dev}/serial/by-id/usb-FTDI_FT232R_A50285BI, baud: 9600 }\n`
    assert.ok(lines!.includes(`# ttyUSB0\nbuses:\n${serial}`), lines)
    const cpu = `{ driver: hwmon, bus: { type: file, root: ${sys} }, chip: cpu_thermal, inputs: [ temp1 ] }`
    assert.ok(lines!.includes(`# hwmon0\ndevices:\n  NAME: ${cpu}\n`), lines)
  })

  it('writes a find into a file that keeps its comments, and prints what changed', async () => {
    const config = join(directory, 'hub.yaml')
    await writeFile(
      config,
      `gateway: { id: roof-1 }   # the roof
devices:
    demo:
        driver: sim   # until spring

# the end
`,
    )
    const { status, out, err } = await hub(
      'scan',
      'file',
      ...ROOTS,
      '--add',
      'hwmon0',
      '--as',
      'cpu',
      '--config',
      config,
    )
    assert.equal(err, '')
    assert.equal(status, 0)
    const line = `    cpu: { driver: hwmon, bus: { type: file, root: ${sys} }, chip: cpu_thermal, inputs: [ temp1 ] }`
    assert.equal(out, `          driver: sim   # until spring\n+ ${line}\n`)
    assert.equal(
      await readFile(config, 'utf8'),
      `gateway: { id: roof-1 }   # the roof
devices:
    demo:
        driver: sim   # until spring
${line}

# the end
`,
    )
    assert.match((await hub('read', 'cpu', '--config', config)).out, /temp1 +48\.312/)
    const again = await hub('scan', 'file', ...ROOTS, '--add', 'hwmon0', '--as', 'cpu', '--config', config)
    assert.equal(again.status, 2)
    assert.match(again.err, /there is cpu below devices already/)
  })

  it('writes a serial port as a bus', async () => {
    const config = join(directory, 'new.yaml')
    const { status } = await hub('scan', 'serial', ...ROOTS, '--add', 'ttyUSB0', '--as', 'rs485', '--config', config)
    assert.equal(status, 0)
    const path = `${dev}/serial/by-id/usb-FTDI_FT232R_A50285BI`
    assert.equal(await readFile(config, 'utf8'), `buses:\n  rs485: { type: serial, path: ${path}, baud: 9600 }\n`)
    const again = await hub('scan', 'serial', ...ROOTS, '--add', 'ttyUSB0', '--as', 'other', '--config', config)
    assert.match(again.err, /ttyUSB0 is bus rs485 already/)
  })

  it('asks the addresses of a Modbus line, and nobody else', async () => {
    const options = optionsOf(modbusTcp, { unit_id: 3, registers: { level: { holding: 0 } } })
    const slave = modbusTcp.emulate(options, 'tcp') as VirtualLineDevice
    slave.set('level', 77)
    const bus = `127.0.0.1:${await lineOverTcp(slave)}`
    const { status, out, err } = await hub(
      'scan',
      'modbus',
      '--bus',
      bus,
      '--units',
      '1-4',
      '--timeout',
      '50',
      '--json',
    )
    assert.equal(err, '')
    assert.equal(status, 0)
    const { finds } = JSON.parse(out) as { finds: { id: string; what: string; driver: string }[] }
    assert.deepEqual(
      finds.map(({ id, what, driver }) => [id, what, driver]),
      [['modbus/3', 'unit 3: holding register 0 is 77', 'modbus-tcp']],
    )
  })

  it('refuses what it cannot mean', async () => {
    const cases: [string[], RegExp][] = [
      [['uart'], /give one of serial, i2c, spi, file, modbus/],
      [['modbus'], /^Which line\? Give --bus/],
      [['modbus', '--bus', '127.0.0.1:1', '--units', '9-3'], /--units must be such as 1-32/],
      [['--add', 'hwmon0'], /--add FIND and --as NAME go together/],
      [['--add', 'hwmon0', '--as', 'cpu'], /--add needs --config FILE/],
      [['file', ...ROOTS, '--add', 'hwmon7', '--as', 'a', '--config', 'a.yaml'], /There is no hwmon7 now\. Found: 28-/],
      [['file', ...ROOTS, '--add', 'hwmon0', '--as', 'a', '--config', 'a.ini'], /writes YAML only/],
    ]
    for (const [args, message] of cases) {
      const { status, err } = await hub('scan', ...args)
      assert.match(err, message)
      assert.equal(status, 2, args.join(' '))
    }
  })
})
