import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { FilePort } from '#src/hub/drivers/contract/ports'
import { driver } from '#src/hub/drivers/linux-iio/driver'

const tools = { pause: async () => {}, fault: readFault }

function portOf(files: Readonly<Record<string, string>>): FilePort {
  return {
    kind: 'file',
    root: '/sys',
    read: async (path) => {
      if (!(path in files)) throw readFault('missing', `There is no ${path}.`)
      return files[path]!
    },
    write: async () => {},
    list: async (path) => {
      const inside = Object.keys(files).filter((file) => file.startsWith(`${path}/`))
      return [...new Set(inside.map((file) => file.slice(path.length + 1).split('/')[0]!))].sort()
    },
  }
}

const AT = 'bus/iio/devices/iio:device0'

async function read(files: Record<string, string>, inputs: string[], more: { chip?: string; device?: string } = {}) {
  const options = { inputs, ...more }
  const port = portOf(files)
  const setup = await driver.initialise(port, options, tools)
  const raw = await driver.acquire(port, options, tools, setup)
  return driver.decode(raw, driver.calibration(setup, options, readFault), options)
}

async function values(...args: Parameters<typeof read>): Promise<number[]> {
  const decoded = await read(...args)
  assert.ok(!isFault(decoded))
  return Array.from(decoded[0]!.values, (value) => Number(value.toFixed(9)))
}

describe('the driver of Linux IIO', () => {
  it("gives what the kernel's bme280 shows in SI units", async () => {
    // The kernel's own driver gave these for the register image of the BME280 datasheet's example.
    const files = {
      [`${AT}/name`]: 'bme280\n',
      [`${AT}/in_temp_input`]: '25080\n',
      [`${AT}/in_pressure_input`]: '100.653273437\n',
      [`${AT}/in_humidityrelative_input`]: '56203\n',
    }
    const found = await values(files, ['temp', 'pressure', 'humidityrelative'], { chip: 'bme280' })
    assert.deepEqual(found, [25.08, 100653.273437, 56.203])
  })

  it('computes (raw + offset) × scale, and takes the scale of the kind where an input has none of its own', async () => {
    // ads1115 at ±2.048 V: scale 0.0625 mV; a thermistor chip with an offset, as the ABI's own example.
    const files = {
      [`${AT}/name`]: 'x\n',
      [`${AT}/in_voltage0_raw`]: '16000\n',
      [`${AT}/in_voltage_scale`]: '0.062500000\n',
      [`${AT}/in_temp_raw`]: '1200\n',
      [`${AT}/in_temp_offset`]: '-600\n',
      [`${AT}/in_temp_scale`]: '50\n',
      [`${AT}/in_accel_x_raw`]: '-1024\n',
      [`${AT}/in_accel_scale`]: '0.009576807\n',
    }
    assert.deepEqual(await values(files, ['voltage0', 'temp', 'accel_x']), [1, 30, -9.806650368])
  })

  it('knows the device by its chip when numbers have changed', async () => {
    const files = {
      [`${AT}/name`]: 'bh1750\n',
      [`${AT}/in_illuminance_raw`]: '5\n',
      'bus/iio/devices/iio:device1/name': 'bme280\n',
      'bus/iio/devices/iio:device1/in_temp_input': '21000\n',
    }
    assert.deepEqual(await values(files, ['temp'], { chip: 'bme280' }), [21])
  })

  for (const [what, files, options, fault, message] of [
    ['no device at all', {}, {}, 'missing', /there: none\. Load the kernel driver/],
    ['another chip', { [`${AT}/name`]: 'bh1750' }, { chip: 'bme280' }, 'identity', /iio:device0 \(bh1750\)/],
    [
      'two of one chip',
      { [`${AT}/name`]: 'a', 'bus/iio/devices/iio:device1/name': 'a' },
      { chip: 'a' },
      'identity',
      /Say which by "device"/,
    ],
    ['an input that is not there', { [`${AT}/name`]: 'a', [`${AT}/in_temp_raw`]: '1' }, {}, 'setup', /it has temp\./],
    [
      'a scale of zero',
      { [`${AT}/name`]: 'a', [`${AT}/in_pressure_raw`]: '1', [`${AT}/in_pressure_scale`]: '0' },
      {},
      'setup',
      /is no scale/,
    ],
  ] as const) {
    it(`calls ${what} a fault of kind ${fault}`, async () => {
      await assert.rejects(read(files, ['pressure'], options), { details: { fault }, message })
    })
  }

  it('calls text that is no number a fault of kind decode', async () => {
    const decoded = await read({ [`${AT}/name`]: 'a', [`${AT}/in_temp_input`]: 'busy\n' }, ['temp'])
    assert.ok(isFault(decoded))
    assert.equal(decoded.fault, 'decode')
  })
})
