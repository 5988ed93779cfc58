import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { type Ads1115Options, configOf } from '#src/hub/drivers/ads1115/ads1115-config'
import { driver } from '#src/hub/drivers/ads1115/driver'
import { VirtualAds1115 } from '#src/hub/drivers/ads1115/virtual-ads1115'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltI2c } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}) {
  const options = optionsOf(driver, written) as Ads1115Options
  const clock = new ManualClock()
  const device = new VirtualAds1115(clock.nowMs)
  return { device, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

const oneChannel = { channels: [{ input: '0' }] }
const decode = (options: Ads1115Options, ...bytes: number[]) =>
  driver.decode(Uint8Array.from(bytes), undefined, options) as readonly DecodedReading[]

test('AIN0, 4.096 V, 128 samples a second, single shot is the config word 0xC383', () => {
  const [channel] = (optionsOf(driver) as Ads1115Options).channels
  assert.equal(configOf(channel), 0xc383)
})

test('mux, gain and rate stand where the datasheet has them', () => {
  // SBAS444, config register: MUX 000 is AIN0 against AIN1, PGA 000 is 6.144 V, DR 111 is 860; 011, 101 and 000 the others.
  const written = [
    { input: '0-1', full_scale_v: 6.144, samples_per_second: 860 },
    { input: '2-3', full_scale_v: 0.256, samples_per_second: 8 },
  ]
  const { channels } = optionsOf(driver, { channels: written }) as Ads1115Options
  assert.deepEqual(channels.map(configOf), [0x81e3, 0xbb03])
})

test('codes are signed steps of full scale / 32768, and the ends of the scale are of quality range', () => {
  // SBAS444, section "Data Format": 0x7FFF is full scale less a step, 0x0001 a step, 0xFFFF a step below 0, 0x8000 full scale below 0.
  const options = optionsOf(driver, oneChannel) as Ads1115Options
  for (const [code, volts, quality] of [
    [0x7fff, 4.096 - 0.000125, QUALITY.range],
    [0x2000, 1.024, QUALITY.good],
    [0x0001, 0.000125, QUALITY.good],
    [0x0000, 0, QUALITY.good],
    [0xffff, -0.000125, QUALITY.good],
    [0x8000, -4.096, QUALITY.range],
  ] as const) {
    const [reading] = decode(options, 0xc3, 0x83, code >> 8, code & 0xff)
    assert.ok(Math.abs(reading.values[0] - volts) < 1e-12, `${reading.values[0]}`)
    assert.equal(reading.quality?.[0], quality)
  }
})

test('what is set is read, each channel with its own gain and rate', async () => {
  const { device, rig } = rigOf({
    channels: [
      { input: '0-1', full_scale_v: 0.256, samples_per_second: 8 },
      { input: '3', full_scale_v: 6.144, samples_per_second: 860 },
      { input: '0' },
    ],
  })
  device.set('voltage_0_minus_1', -0.0123)
  device.set('voltage_3', 4.87)
  device.set('voltage_0', 2.5)
  await rig.initialise()
  const values = await rig.values()
  assert.ok(Math.abs(values.voltage_0_minus_1 + 0.0123) < 0.000004)
  assert.ok(Math.abs(values.voltage_3 - 4.87) < 0.0001)
  assert.ok(Math.abs(values.voltage_0 - 2.5) < 0.00007)
})

test('an input beyond its full scale is given at the end of the scale with quality range', async () => {
  const { device, rig } = rigOf({ channels: [{ input: '0', full_scale_v: 2.048 }, { input: '1' }] })
  device.set('voltage_0', 3)
  await rig.initialise()
  const [{ values, quality }] = await rig.readings()
  assert.ok(Math.abs(values[0] - 2.048) < 0.0001)
  assert.deepEqual(quality, [QUALITY.range, QUALITY.good])
})

test('registers, codes and steps are told by channel', async () => {
  const { rig } = rigOf(oneChannel)
  await rig.initialise()
  const told: string[] = []
  await rig.readings((name, value) => told.push(`${name}=${value}`))
  assert.deepEqual(told, ['config voltage_0=0xC383', 'code=4000', 'voltage_0=0.5'])
})

test('an input that stands twice, an unknown one, and no channel at all are refused with the options', () => {
  for (const channels of [[{ input: '0' }, { input: '0' }], [{ input: '0-2' }], []]) {
    assert.throws(() => optionsOf(driver, { channels }))
  }
})

describe('what the chip can do wrong', () => {
  test('a chip that was reset behind our back, before or in a conversion, is noticed', async () => {
    const { device, clock, options } = rigOf(oneChannel)
    const tools = {
      ...clock.tools,
      pause: async (ms: number) => {
        clock.pass(ms)
        device.powerCycle()
      },
    }
    const rig = new DriverRig(driver, options, device, tools)
    await rig.initialise()
    await assert.rejects(rig.acquire(), faultLike('setup', /reads 0x8583 instead of 0xC383/))
  })

  test('another chip does not keep the threshold, which is refused as its identity', async () => {
    const { device, clock, options } = rigOf()
    // A chip of twelve bits keeps no more.
    const twelve = spoiltI2c(device, (_, answer) => answer?.map((byte, at) => (at === 1 ? byte & 0xf0 : byte)))
    const rig = new DriverRig(driver, options, twelve, clock.tools)
    await assert.rejects(rig.initialise(), faultLike('identity', /keeps 0x8AA0 where 0x8AA5/))
  })

  test('a conversion that does not end is a timeout, and a line that hangs high is one of its own', async () => {
    const { device, clock, options } = rigOf(oneChannel)
    const busy = spoiltI2c(device, (_, answer) => answer?.map((byte, at) => (at === 0 ? byte & 0x7f : byte)))
    await assert.rejects(new DriverRig(driver, options, busy, clock.tools).acquire(), faultLike('timeout', /convert/))
    const high = spoiltI2c(device, (_, answer) => answer?.fill(0xff))
    await assert.rejects(new DriverRig(driver, options, high, clock.tools).acquire(), faultLike('io', /only 0xFF came/))
  })

  test('bytes of a dead bus, of another configuration, and too few of them mean nothing', () => {
    const options = optionsOf(driver, oneChannel) as Ads1115Options
    for (const [bytes, fault] of [
      [[0, 0, 0, 0], 'io'],
      [[0xff, 0xff, 0xff, 0xff], 'io'],
      [[0xc3, 0x63, 0x12, 0x34], 'setup'],
      [[0xc3, 0x83, 0x12], 'short'],
    ] as const) {
      const decoded = driver.decode(Uint8Array.from(bytes), undefined, options)
      assert.equal('fault' in decoded && decoded.fault, fault)
    }
  })
})

test('cost and shortest interval are those of one conversion after another, 10 % slow', () => {
  const four = optionsOf(driver) as Ads1115Options
  assert.equal(driver.shortestEveryMs(four), 36)
  assert.deepEqual(driver.cost(four).transactions.length, 12)
  const fast = optionsOf(driver, { channels: [{ input: '0', samples_per_second: 860 }] }) as Ads1115Options
  assert.equal(driver.shortestEveryMs(fast), 2)
})
