import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/ina219/driver'
import { type Ina219Options, settingsOf } from '#src/hub/drivers/ina219/ina219-settings'
import { VirtualIna219 } from '#src/hub/drivers/ina219/virtual-ina219'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltI2c } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}) {
  const options = optionsOf(driver, written) as Ina219Options
  const clock = new ManualClock()
  const device = new VirtualIna219(options.shuntOhms, clock.nowMs)
  return { device, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

const settings = (written: Record<string, unknown>) =>
  settingsOf(optionsOf(driver, written) as Ina219Options, readFault)
const wordsToBytes = (...words: number[]) => Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]))
/** The worked example of the datasheet (SBOS448, section "Programming"): 10 A through 2 mOhm, steps of 1 mA. */
const EXAMPLE = { shunt_ohms: 0.002, max_current_a: 15, current_step_a: 0.001 }

test('steps of 100 uA in 0.1 ohm are a calibration of 4096, which the defaults choose', () => {
  const { calibration, currentStepA, config } = settings({})
  assert.equal(calibration, 4096)
  assert.ok(Math.abs(currentStepA - 0.0001) < 1e-12)
  // 32 V, 320 mV, one sample of 12 bits each, triggered: the reset value in another mode.
  assert.equal(config, 0x399b)
  assert.equal(settings({ mode: 'continuous' }).config, 0x399f)
  assert.equal(settings({ averages: 128, max_current_a: 0.4, bus_range_v: 16 }).config, 0x07fb)
})

test('the example of the datasheet comes out: 10 A, 20 mV, 11.98 V, 119.8 W', () => {
  const options = optionsOf(driver, EXAMPLE) as Ina219Options
  const made = settingsOf(options, readFault)
  assert.equal(made.calibration, 0x5000)
  // Its registers: shunt 0x07D0, bus 0x5D98, current 0x2710, power 0x1766.
  const raw = wordsToBytes(made.config, made.calibration, 0x07d0, 0x5d98, 0x2710, 0x1766)
  const [{ values }] = driver.decode(raw, made, options) as readonly DecodedReading[]
  assert.deepEqual(
    Array.from(values, (value) => value.toFixed(6)),
    ['11.980000', '0.020000', '10.000000', '119.800000'],
  )
})

test('the virtual chip makes the same registers of the same example', async () => {
  const { device, rig } = rigOf(EXAMPLE)
  device.set('bus_voltage', 11.98)
  device.set('current', 10)
  await rig.initialise()
  const raw = await rig.acquire()
  assert.equal(Buffer.from(raw).toString('hex').slice(8), '07d05d9a27101766')
})

test('negative current is two`s complement', () => {
  // SBOS448, shunt voltage register format: -320 mV is 0x8300 with a gain of 8.
  const options = optionsOf(driver) as Ina219Options
  const made = settingsOf(options, readFault)
  const raw = wordsToBytes(made.config, 4096, 0x8300, 0x1f42, 0x8300, 0)
  const [{ values, quality }] = driver.decode(raw, made, options) as readonly DecodedReading[]
  assert.equal(values[1].toFixed(6), '-0.320000')
  assert.equal(values[2].toFixed(6), '-3.200000')
  assert.deepEqual(quality, [QUALITY.good, QUALITY.range, QUALITY.range, QUALITY.range])
})

for (const mode of ['triggered', 'continuous']) {
  test(`what is set is read in ${mode} mode`, async () => {
    const { device, rig, clock } = rigOf({ mode, averages: 8 })
    device.set('bus_voltage', 5.02)
    device.set('current', -1.234)
    await rig.initialise()
    clock.pass(20)
    const values = await rig.values()
    assert.ok(Math.abs(values.bus_voltage - 5.02) <= 0.002)
    assert.ok(Math.abs(values.current + 1.234) <= 0.00005)
    assert.ok(Math.abs(values.shunt_voltage + 0.1234) <= 0.000005)
    assert.ok(Math.abs(values.power - 1.234 * 5.02) <= 0.002 + 0.0005)
  })
}

test('in continuous mode each conversion is given once', async () => {
  const { rig, clock } = rigOf({ mode: 'continuous' })
  await rig.initialise()
  assert.deepEqual(await rig.readings(), [])
  clock.pass(2)
  assert.equal((await rig.readings()).length, 1)
  assert.deepEqual(await rig.readings(), [])
})

test('a result beyond its register is of quality range', async () => {
  const { device, rig } = rigOf({ current_step_a: 0.00001 })
  device.set('current', 3)
  await rig.initialise()
  const [{ quality }] = await rig.readings()
  assert.deepEqual(quality, [QUALITY.good, QUALITY.good, QUALITY.range, QUALITY.range])
})

test('registers and steps are told', async () => {
  const { rig } = rigOf()
  await rig.initialise()
  const told = new Map<string, unknown>()
  await rig.readings((name, value) => told.set(name, value))
  assert.equal(told.get('calibration'), 4096)
  assert.equal(told.get('bus register'), '0x5DC2')
  for (const name of ['bus_voltage', 'shunt_voltage', 'current', 'power']) assert.ok(told.has(name))
})

describe('what the chip can do wrong', () => {
  for (const mode of ['triggered', 'continuous']) {
    test(`a supply that failed for a moment is noticed by the calibration of 0 in ${mode} mode`, async () => {
      const { device, rig, clock } = rigOf({ mode })
      await rig.initialise()
      clock.pass(5)
      await rig.values()
      device.powerCycle()
      clock.pass(5)
      await assert.rejects(rig.acquire(), faultLike('setup', /calibration register reads 0x0000 instead of 0x1000/))
      await rig.initialise()
      clock.pass(5)
      assert.ok((await rig.values()).current > 0.2)
    })
  }

  test('another chip is refused by what it reads after a reset', async () => {
    const { device, clock, options } = rigOf()
    const other = spoiltI2c(device, () => Uint8Array.of(0x41, 0x27))
    const rig = new DriverRig(driver, options, other, clock.tools)
    await assert.rejects(rig.initialise(), faultLike('identity', /reads 0x4127 after a reset, not 0x399F/))
  })

  test('a conversion that does not end is a timeout, and a line that hangs high is a fault of its own', async () => {
    const { device, clock, options } = rigOf()
    const low = spoiltI2c(device, (_, answer) => answer?.fill(0))
    await assert.rejects(new DriverRig(driver, options, low, clock.tools).acquire(), faultLike('timeout', /convert/))
    const high = spoiltI2c(device, (_, answer) => answer?.fill(0xff))
    await assert.rejects(new DriverRig(driver, options, high, clock.tools).acquire(), faultLike('io', /only 0xFF/))
  })

  test('settings that no gain or calibration fits are refused with what to change', () => {
    assert.throws(() => settings({ max_current_a: 10 }), faultLike('setup', /lower max_current_a or take a smaller/))
    const fine = { current_step_a: 1e-7, max_current_a: 0.1 }
    assert.throws(() => settings(fine), faultLike('setup', /choose another current_step_a/))
  })

  test('bytes of a dead bus, and too few of them, mean nothing', () => {
    const options = optionsOf(driver) as Ina219Options
    const made = settingsOf(options, readFault)
    for (const [raw, fault] of [
      [new Uint8Array(12), 'io'],
      [new Uint8Array(12).fill(0xff), 'io'],
      [new Uint8Array(11).fill(1), 'short'],
    ] as const) {
      const decoded = driver.decode(raw, made, options)
      assert.equal('fault' in decoded && decoded.fault, fault)
    }
  })
})
