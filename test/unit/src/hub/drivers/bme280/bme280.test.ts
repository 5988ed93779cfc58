import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { Bme280Options } from '#src/hub/drivers/bme280/bme280-options'
import { readCalibration } from '#src/hub/drivers/bme280/calibration'
import { driver } from '#src/hub/drivers/bme280/driver'
import { virtualBme280 } from '#src/hub/drivers/bme280/virtual-bme280'
import { EXAMPLE_CALIBRATION, VirtualChip } from '#src/hub/drivers/bme280/virtual-chip'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { VirtualI2cDevice } from '#src/hub/drivers/contract/virtual-device'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'

function rigOf(written: Record<string, unknown> = {}, bus: 'i2c' | 'spi' = 'i2c') {
  const options = optionsOf(driver, written) as Bme280Options
  const clock = new ManualClock()
  const chip = new VirtualChip(options.chip, undefined, clock.nowMs)
  const device = virtualBme280(options, bus, chip)
  return { device, chip, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

/** Answers one register with another byte than the chip has. */
function lying(device: VirtualI2cDevice, register: number, byte: number): VirtualI2cDevice {
  let pointer = -1
  return {
    ...{ bus: 'i2c', set: device.set.bind(device), powerCycle: device.powerCycle.bind(device) },
    write: (bytes) => {
      pointer = bytes.length === 1 ? bytes[0] : -1
      return device.write(bytes)
    },
    read: (count) => {
      const bytes = device.read(count)
      const at = register - pointer
      if (bytes && at >= 0 && at < count) bytes[at] = byte
      return bytes
    },
  }
}

for (const bus of ['i2c', 'spi'] as const) {
  for (const mode of ['forced', 'normal']) {
    test(`what is set is read, over ${bus} in ${mode} mode`, async () => {
      const { device, rig, clock } = rigOf({ mode }, bus)
      device.set('temperature', -12.34)
      device.set('pressure', 98_765)
      device.set('relative_humidity', 61.8)
      await rig.initialise()
      clock.pass(100)
      const { temperature, pressure, relative_humidity } = await rig.values()
      assert.ok(Math.abs(temperature + 12.34) < 0.005, `${temperature}`)
      assert.ok(Math.abs(pressure - 98_765) < 3, `${pressure}`)
      assert.ok(Math.abs(relative_humidity - 61.8) < 0.01, `${relative_humidity}`)
    })
  }
}

test('more oversampling gives finer steps, and a filter comes close over several measurements', async () => {
  const { device, rig } = rigOf({ temperature_oversampling: 16, pressure_oversampling: 16, filter: 4 })
  device.set('temperature', 20)
  await rig.initialise()
  assert.ok(Math.abs((await rig.values()).temperature - 20) < 0.0004)
  device.set('temperature', 30)
  assert.ok(Math.abs((await rig.values()).temperature - 22.5) < 0.01)
  for (let cycle = 0; cycle < 30; cycle++) await rig.values()
  assert.ok(Math.abs((await rig.values()).temperature - 30) < 0.01)
})

test('a BMP280 gives temperature and pressure only', async () => {
  const { device, rig, options } = rigOf({ chip: 'bmp280' })
  assert.deepEqual(
    driver.channels(options).map(({ name }) => name),
    ['temperature', 'pressure'],
  )
  device.set('pressure', 101_325)
  await rig.initialise()
  assert.ok(Math.abs((await rig.values()).pressure - 101_325) < 3)
})

test('the chip is left sleeping after each forced measurement', async () => {
  const { chip, rig } = rigOf()
  await rig.initialise()
  await rig.values()
  assert.equal(chip.read(0xf4, 1)[0] & 0x03, 0)
})

test('in normal mode nothing is told before the first measurement is done', async () => {
  const { rig, clock } = rigOf({ mode: 'normal' })
  await rig.initialise()
  assert.deepEqual(await rig.readings(), [])
  clock.pass(10)
  assert.equal((await rig.readings()).length, 1)
})

test('0x80000 alone is a temperature like another, and the same bytes as the datasheet decode to its values', () => {
  const options = optionsOf(driver) as Bme280Options
  const calibration = readCalibration(EXAMPLE_CALIBRATION, 'bme280', readFault)
  const raw = Uint8Array.of(0x01, 0x00, 0x24, 0x00, 0x00, 0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x75, 0x30)
  const [reading] = driver.decode(raw, calibration, options) as readonly DecodedReading[]
  assert.equal(reading.values[0].toFixed(2), '25.08')
  assert.equal(reading.values[1].toFixed(2), '100653.27')
  assert.equal(reading.values[2].toFixed(3), '45.017')
  raw.set([0x80, 0x00, 0x00], 8)
  const [warm] = driver.decode(raw, calibration, options) as readonly DecodedReading[]
  assert.equal(warm.values[0].toFixed(1), '26.5')
})

test('beyond the limits of operation a value is of quality range', async () => {
  const { device, rig } = rigOf()
  device.set('temperature', 91)
  await rig.initialise()
  const [{ quality }] = await rig.readings()
  assert.deepEqual(quality, [QUALITY.range, QUALITY.good, QUALITY.good])
})

test('every step of the arithmetic is told, registers and coefficients first', async () => {
  const { rig } = rigOf()
  await rig.initialise()
  const told = new Map<string, unknown>()
  await rig.readings((name, value) => told.set(name, value))
  for (const name of ['register 0xF7', 'T1', 'P9', 'H6', 'adc_t', 'adc_p', 'adc_h', 't_fine', 'pressure']) {
    assert.ok(told.has(name), name)
  }
})

describe('what the chip can do wrong', () => {
  test('another chip is refused by its identity, with the word that configures it', async () => {
    await assert.rejects(otherChip('bmp280').initialise(), faultLike('identity', /set chip: bmp280/))
    const bmp = rigOf({ chip: 'bmp280' })
    const bme = virtualBme280(bmp.options, 'i2c', new VirtualChip('bme280'))
    const rig = new DriverRig(driver, bmp.options, bme, bmp.clock.tools)
    await assert.rejects(rig.initialise(), faultLike('identity', /set chip: bme280/))
  })

  for (const [byte, words] of [
    [0x61, /BME680/],
    [0x00, /check the wiring/],
    [0xff, /check the wiring/],
    [0x42, /another chip/],
  ] as const) {
    test(`an identity of ${byte} is refused`, async () => {
      const { device, clock, options } = rigOf()
      const rig = new DriverRig(driver, options, lying(device as VirtualI2cDevice, 0xd0, byte), clock.tools)
      await assert.rejects(rig.initialise(), faultLike('identity', words))
    })
  }

  test('a chip that was reset behind our back is noticed with the next measurement', async () => {
    // In turn noticed by ctrl_hum, by ctrl_meas alone, and by config alone.
    const onlyConfig = { chip: 'bmp280', filter: 4 }
    for (const written of [{}, { chip: 'bmp280', mode: 'normal', standby_ms: 0.5 }, onlyConfig, { mode: 'normal' }]) {
      const { device, rig, clock } = rigOf(written)
      await rig.initialise()
      clock.pass(100)
      await rig.values()
      device.powerCycle()
      clock.pass(100)
      await assert.rejects(rig.acquire(), faultLike('setup', /was reset/))
      await rig.initialise()
      clock.pass(100)
      assert.ok(Number.isFinite((await rig.values()).temperature))
    }
  })

  test('a chip that does not end to measure, or to start, is a timeout', async () => {
    const { device, clock, options, rig } = rigOf()
    await rig.initialise()
    const slow = new DriverRig(driver, options, lying(device as VirtualI2cDevice, 0xf3, 0x08), clock.tools)
    await assert.rejects(slow.acquire(), faultLike('timeout', /does not end to measure/))
    const stuck = new DriverRig(driver, options, lying(device as VirtualI2cDevice, 0xf3, 0x01), clock.tools)
    await assert.rejects(stuck.initialise(), faultLike('timeout', /after a reset/))
  })

  test('a calibration of zeros, of ones, with a word of zero or cut short is refused', () => {
    const options = optionsOf(driver) as Bme280Options
    const refuse = (bytes: Uint8Array, words: RegExp) =>
      assert.throws(() => driver.calibration(bytes, options, readFault), faultLike('setup', words))
    refuse(new Uint8Array(33), /only 0x00 came/)
    refuse(new Uint8Array(33).fill(0xff), /only 0xFF came/)
    refuse(EXAMPLE_CALIBRATION.subarray(0, 20), /20 bytes instead of 33/)
    for (const [at, word] of [
      [0, 'T1'],
      [2, 'T2'],
      [6, 'P1'],
      [26, 'H2'],
    ] as const) {
      const bytes = EXAMPLE_CALIBRATION.slice()
      bytes.set([0, 0], at)
      refuse(bytes, new RegExp(`${word} is 0`))
    }
  })

  test('arithmetic that comes to no number is a fault, not NaN', async () => {
    const { rig, options } = rigOf()
    const bytes = await rig.initialise()
    const raw = await rig.acquire()
    const calibration = driver.calibration(bytes, options, readFault)
    const broken = { ...calibration, p: [0, ...calibration.p.slice(1)] }
    const decoded = driver.decode(raw, broken, options)
    assert.equal('fault' in decoded && decoded.fault, 'setup')
  })

  test('bytes of a dead bus, and too few of them, mean nothing', () => {
    const options = optionsOf(driver) as Bme280Options
    const calibration = readCalibration(EXAMPLE_CALIBRATION, 'bme280', readFault)
    for (const [raw, fault] of [
      [new Uint8Array(13), 'io'],
      [new Uint8Array(13).fill(0xff), 'io'],
      [new Uint8Array(12).fill(0x24), 'short'],
    ] as const) {
      const decoded = driver.decode(raw, calibration, options)
      assert.equal('fault' in decoded && decoded.fault, fault)
    }
  })
})

function otherChip(chip: 'bmp280') {
  const { clock, options } = rigOf()
  return new DriverRig(driver, options, virtualBme280(options, 'i2c', new VirtualChip(chip)), clock.tools)
}

test('cost and shortest interval follow the longest measurement of the datasheet', () => {
  const plain = optionsOf(driver) as Bme280Options
  assert.equal(driver.shortestEveryMs(plain), 10)
  assert.deepEqual(driver.cost(plain), { transactions: [{ bytes: 3 }, { bytes: 16 }], conversionMs: 10 })
  const written = { pressure_oversampling: 16, mode: 'normal', standby_ms: 125 }
  const slow = optionsOf(driver, written) as Bme280Options
  assert.equal(driver.shortestEveryMs(slow), Math.ceil(1.25 + 2.3 + 36.8 + 0.575 + 2.3 + 0.575 + 125))
  assert.equal(driver.cost(slow).conversionMs, 0)
})
