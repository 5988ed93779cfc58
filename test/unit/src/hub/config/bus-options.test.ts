import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { TelemetryError } from '#core/errors/telemetry-error'
import { type HubOptions, readHubOptions } from '#src/hub/config/hub-options'

const directory = mkdtempSync(join(tmpdir(), 'telemetryhub-buses-'))
after(() => rmSync(directory, { recursive: true }))

const driverFile = (name: string) => fileURLToPath(import.meta.resolve(`#test/support/${name}-driver`))
const DRIVERS: Record<string, string> = {
  CHIP: driverFile('chip'),
  ASKING: driverFile('asking'),
  TALKING: driverFile('talking'),
}

let files = 0
function file(text: string, extension = 'yaml'): string {
  const path = join(directory, `hub-${files++}.${extension}`)
  writeFileSync(
    path,
    text.replace(/\b(CHIP|ASKING|TALKING)\b/g, (name) => DRIVERS[name]),
  )
  return path
}

async function optionsOf(path: string): Promise<HubOptions> {
  const command = await readHubOptions(['--config', path], {})
  assert.equal(command.kind, 'run')
  return (command as { options: HubOptions }).options
}

async function problemsOf(path: string): Promise<string[]> {
  try {
    await readHubOptions(['--config', path], {})
  } catch (error) {
    assert.ok(error instanceof TelemetryError)
    return error.message.split('\n').map((line) => line.replaceAll(`${path}:`, ''))
  }
  throw new assert.AssertionError({ message: 'The options were taken.' })
}

describe('buses in a configuration', () => {
  it('are read with units, and devices refer to them by name', async () => {
    const options = await optionsOf(
      file(`
buses:
  i2c1: { type: i2c, path: /dev/i2c-1, speed: 400kHz, budget: 60% }
  spi0: { type: spi, path: /dev/spidev0.0, speed: 10MHz, mode: 3 }
  rs485: { type: serial, match: { vid: 0403, pid: "6001", usb_serial: A50285BI }, baud: 19200, format: 8E1 }
  plc: { type: tcp, host: 192.168.1.20 }
devices:
  roof: { driver: CHIP, bus: i2c1, address: 0x77, every: 100ms, timeout: 50ms, keep_raw: true }
  cellar: { driver: CHIP, bus: spi0 }
  meter: { driver: ASKING, bus: rs485, unit: 3 }
  pump: { driver: ASKING, bus: plc, unit: 3 }
`),
    )
    const { roof, cellar, meter, pump } = options.devices
    assert.deepEqual(roof.place, {
      bus: { name: 'i2c1', settings: { kind: 'i2c', path: '/dev/i2c-1', clockHz: 400_000 }, budget: 0.6 },
      address: 0x77,
      timeoutMs: 50,
      keepRaw: true,
      clockHz: 400_000,
    })
    // The bus is faster than the chip.
    assert.equal(cellar.place?.clockHz, 400_000)
    assert.deepEqual(cellar.place?.bus.settings, {
      kind: 'spi',
      path: '/dev/spidev0.0',
      clockHz: 10_000_000,
      mode: 3,
    })
    assert.deepEqual(meter.place?.bus.settings, {
      kind: 'serial',
      at: { match: { usbSerial: 'A50285BI', vid: '0403', pid: '6001' } },
      baudRate: 19_200,
      dataBits: 8,
      parity: 'even',
      stopBits: 1,
    })
    assert.deepEqual(meter.options, { unit: 3 })
    assert.deepEqual(pump.place?.bus.settings, { kind: 'tcp', host: '192.168.1.20', port: 502 })
  })

  it('may be written at the device; two that write the same share it', async () => {
    const options = await optionsOf(
      file(`
devices:
  a: { driver: CHIP, bus: { type: i2c, path: /dev/i2c-1 } }
  b: { driver: CHIP, bus: { type: i2c, path: /dev/i2c-1 }, address: 0x77 }
`),
    )
    assert.deepEqual(options.devices.a.place?.bus, options.devices.b.place?.bus)
    assert.equal(options.devices.a.place?.bus.name, 'i2c-1')
    assert.equal(options.devices.a.place?.address, 0x76)
  })

  it('are read from sections of an INI file', async () => {
    const options = await optionsOf(
      file(
        `
[bus.rs485]
type = serial
path = /dev/ttyUSB0
baud = 38400
[device.meter]
driver = ASKING
bus = rs485
unit = 7
every = 1s
`,
        'ini',
      ),
    )
    const { meter } = options.devices
    assert.ok(meter.place?.bus.settings.kind === 'serial' && meter.place.bus.settings.baudRate === 38_400)
    assert.deepEqual([meter.device.every, meter.options], [1000, { unit: 7 }])
  })

  it('have all their mistakes told at once, each with its line', async () => {
    const problems = await problemsOf(
      file(`buses:
  i2c1: { type: i2c, path: /dev/i2c-1, spede: 400kHz }
  one: { type: can, path: /dev/can0 }
  two: { type: serial, baud: fast, format: 9N1 }
  rs485: { type: serial, path: /dev/ttyUSB0 }
devices:
  a: { driver: CHIP, bus: i2c2, addres: 0x76 }
  b: { driver: CHIP, bus: rs485 }
  c: { driver: CHIP }
  d: { driver: CHIP, bus: { type: i2c, path: i2c-1 } }
`),
    )
    const expected = [
      /^2 buses\.i2c1\.spede: unknown key\. Fix: did you mean speed\?/,
      /^3 buses\.one\.type: expected one of i2c, spi, serial, tcp, file, got "can"/,
      /^4 buses\.two\.baud: expected a whole number/,
      /^4 buses\.two\.format: expected data bits, parity and stop bits, such as 8N1 or 7E1, got "9N1"/,
      /^7 devices\.a\.addres: unknown key\. Fix: did you mean address\?/,
      /^8 devices\.b\.bus: rs485 is of type serial, driver chip needs i2c or spi/,
      /^9 devices\.c\.bus: driver chip needs a bus \(i2c or spi\)/,
      /^10 devices\.d\.bus\.path: expected an absolute path, such as \/dev\/i2c-1, got "i2c-1"/,
    ]
    for (const pattern of expected) {
      assert.ok(
        problems.some((line) => pattern.test(line)),
        `${pattern} is not in\n${problems.join('\n')}`,
      )
    }
  })

  it('that do not exist are told with the nearest that does', async () => {
    const path = file('buses:\n  i2c1: { type: i2c, path: /dev/i2c-1 }\ndevices:\n  a: { driver: CHIP, bus: i2c2 }\n')
    assert.match((await problemsOf(path))[0], /^4 devices\.a\.bus: there is no bus i2c2\. Fix: did you mean i2c1\?/)
  })

  it('refuse a serial bus with both path and match, or neither', async () => {
    const path = file(`buses:
  a: { type: serial }
  b: { type: serial, path: /dev/ttyUSB0, match: { vid: "0403" } }
  c: { type: serial, match: { vid: xyz } }
`)
    const problems = await problemsOf(path)
    assert.match(problems[0], /^2 buses\.a: expected either path or match/)
    assert.match(problems[1], /^3 buses\.b: expected either path or match/)
    assert.match(problems[2], /^4 buses\.c\.match\.vid: expected four hexadecimal digits/)
  })

  it('refuse two devices in one place, and a talker that is not alone', async () => {
    const path = file(`buses:
  i2c1: { type: i2c, path: /dev/i2c-1 }
  i2cx: { type: i2c, path: /dev/i2c-1 }
  spi0: { type: spi, path: /dev/spidev0.0 }
  line: { type: serial, path: /dev/ttyUSB0 }
  rs485: { type: serial, path: /dev/ttyUSB1 }
devices:
  a: { driver: CHIP, bus: i2c1, every: 1s }
  b: { driver: CHIP, bus: i2c1, address: 118, every: 1s }
  c: { driver: CHIP, bus: spi0 }
  d: { driver: CHIP, bus: spi0 }
  e: { driver: TALKING, bus: line }
  f: { driver: ASKING, bus: line, unit: 1, every: 1s }
  fast: { driver: ASKING, bus: rs485, unit: 5, every: 1s }
  slow: { driver: ASKING, bus: rs485, unit: 5, every: 60s }
`)
    const problems = await problemsOf(path)
    assert.deepEqual(
      problems.map((line) => line.split('. Fix')[0]),
      [
        '3 buses.i2cx: /dev/i2c-1 is bus i2c1 already',
        '9 devices.b.address: device a is at address 0x76 of i2c1 already',
        '11 devices.d.bus: device c is at the chip select of spi0 already',
        '12 devices.e.bus: talking talks by itself and needs the line alone, f is on it too',
      ],
    )
  })

  it('refuse two buses that would have one name', async () => {
    const path = file(`buses:
  i2c-1: { type: i2c, path: /dev/i2c-7 }
devices:
  a: { driver: CHIP, bus: { type: i2c, path: /dev/i2c-1 }, every: 1s }
`)
    assert.deepEqual(await problemsOf(path), [
      '4 devices.a.bus: /dev/i2c-1 would be called i2c-1, as /dev/i2c-7 is. Fix: write it below buses, with a name of its own',
    ])
  })

  it('refuse an address, a clock and a rate that the chip cannot have', async () => {
    const path = file(`buses:
  i2c1: { type: i2c, path: /dev/i2c-1, speed: 1MHz }
  spi0: { type: spi, path: /dev/spidev0.0 }
devices:
  a: { driver: CHIP, bus: i2c1, address: 0x40, every: 5ms }
  b: { driver: CHIP, bus: spi0, address: 0x76 }
`)
    const problems = await problemsOf(path)
    assert.deepEqual(problems, [
      '5 devices.a.every: chip with these options needs at least 10 ms between readings. Fix: write 10ms or more',
      '5 devices.a.address: 0x40 is none that chip can have. Fix: write one of 0x76, 0x77',
      '5 devices.a.bus: i2c1 runs at 1 MHz, chip can do 400 kHz at most. Fix: slow the bus down (dtparam=i2c_arm_baudrate, and its speed here), or use another bus',
      '6 devices.b.address: only devices on an I2C bus have one. Fix: remove it',
    ])
  })

  it('are refused over their budget, with the numbers and what would fit', async () => {
    const path = file(`buses:
  rs485: { type: serial, path: /dev/ttyUSB0, baud: 1200 }
devices:
  meter: { driver: ASKING, bus: rs485, unit: 1, every: 50ms }
  valve: { driver: ASKING, bus: rs485, unit: 2, every: 1s }
`)
    // 3 bytes of 10 bits at 1200 baud are 25 ms, the silence 29.2 ms, the answer 5 ms.
    assert.deepEqual(await problemsOf(path), [
      '4 devices.meter.every: meter at 20 Hz needs 118 %, valve at 1 Hz needs 5.92 %, together 124 % of rs485, whose budget is 70 %. Fix: lengthen every of meter to 93ms, or raise the baud rate',
    ])
  })
})
