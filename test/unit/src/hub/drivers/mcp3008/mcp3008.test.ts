import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { driver } from '#src/hub/drivers/mcp3008/driver'
import { frameOf, type Mcp3008Options } from '#src/hub/drivers/mcp3008/mcp3008-frames'
import { VirtualMcp3008 } from '#src/hub/drivers/mcp3008/virtual-mcp3008'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltSpi } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}) {
  const options = optionsOf(driver, written) as Mcp3008Options
  const { tools } = new ManualClock()
  const device = new VirtualMcp3008(options)
  return { device, tools, options, rig: new DriverRig(driver, options, device, tools) }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('frames are those of the datasheets', () => {
  // DS21295 figure 6-1 and table 5-2; DS21298 figure 6-1 and table 5-2.
  const ten = optionsOf(driver) as Mcp3008Options
  assert.equal(hex(frameOf('0', ten)), '018000')
  assert.equal(hex(frameOf('7', ten)), '01f000')
  assert.equal(hex(frameOf('0-1', ten)), '010000')
  assert.equal(hex(frameOf('3-2', ten)), '013000')
  const twelve = optionsOf(driver, { chip: 'mcp3208' }) as Mcp3008Options
  assert.equal(hex(frameOf('0', twelve)), '060000')
  assert.equal(hex(frameOf('5', twelve)), '074000')
  assert.equal(hex(frameOf('0-1', twelve)), '040000')
  assert.equal(hex(frameOf('7-6', twelve)), '05c000')
})

test('V = code * Vref / 1024, or / 4096: half of the codes is half of the reference', () => {
  // DS21295 equation 4-2, DS21298 equation 4-2: code = codes * Vin / Vref.
  for (const [chip, answer, volts, quality] of [
    ['mcp3008', [0xff, 0xfa, 0x00], 2.5, QUALITY.good],
    ['mcp3008', [0x00, 0x00, 0x01], 5 / 1024, QUALITY.good],
    ['mcp3008', [0x00, 0x03, 0xff], (5 * 1023) / 1024, QUALITY.range],
    ['mcp3208', [0xff, 0xe8, 0x00], 2.5, QUALITY.good],
    ['mcp3208', [0x00, 0x0f, 0xff], (5 * 4095) / 4096, QUALITY.range],
  ] as const) {
    const options = optionsOf(driver, { chip, reference_v: 5, inputs: '0' }) as Mcp3008Options
    const [reading] = driver.decode(Uint8Array.from(answer), undefined, options) as readonly DecodedReading[]
    assert.equal(reading.values[0], volts)
    assert.equal(reading.quality?.[0], quality)
  }
})

for (const chip of ['mcp3008', 'mcp3208']) {
  test(`what is set is read from each input of an ${chip}, alone and in pairs`, async () => {
    const inputs = '0,1,2,3,4,5,6,7,0-1,7-6'
    const { device, rig, options } = rigOf({ chip, inputs, reference_v: 4.096 })
    for (let at = 0; at < 8; at++) device.set(`voltage_${at}`, 0.1 + at / 2)
    await rig.initialise()
    const values = await rig.values()
    const step = 4.096 / (chip === 'mcp3008' ? 1024 : 4096)
    for (let at = 0; at < 8; at++) assert.ok(Math.abs(values[`voltage_${at}`] - 0.1 - at / 2) <= step / 2 + 1e-9)
    assert.equal(values.voltage_0_minus_1, 0)
    assert.ok(Math.abs(values.voltage_7_minus_6 - 0.5) <= step)
    assert.equal(driver.channels(options).length, 10)
  })
}

test('answers, codes and steps are told by input', async () => {
  const { rig } = rigOf({ inputs: '1', reference_v: 4.096 })
  await rig.initialise()
  const told: string[] = []
  await rig.readings((name, value) => told.push(`${name}=${value}`))
  assert.deepEqual(told, ['answer voltage_1=0xFF 0xF8 0x7D', 'code=125', 'voltage_1=0.5'])
})

describe('what the chip can do wrong', () => {
  test('a line that nobody drives reads ones where a zero must be', async () => {
    const { device, options, tools } = rigOf()
    const absent = spoiltSpi(device, (_, answer) => answer.fill(0xff))
    const rig = new DriverRig(driver, options, absent, tools)
    await assert.rejects(rig.initialise(), faultLike('io', /not 0, so nobody drives/))
    await assert.rejects(rig.acquire(), faultLike('io', /not 0, so nobody drives/))
  })

  test('only zeros are refused, unless the user says that all inputs may be at 0 V', async () => {
    const { device, options, tools } = rigOf()
    const low = spoiltSpi(device, (_, answer) => answer.fill(0))
    await assert.rejects(
      new DriverRig(driver, options, low, tools).initialise(),
      faultLike('io', /set accept_zero: true/),
    )
    const accepting = optionsOf(driver, { accept_zero: true }) as Mcp3008Options
    const rig = new DriverRig(driver, accepting, low, tools)
    await rig.initialise()
    assert.equal((await rig.values()).voltage_0, 0)
  })

  test('one answer among others that nobody drove spoils the acquisition', () => {
    const options = optionsOf(driver, { inputs: '0,1' }) as Mcp3008Options
    const decoded = driver.decode(Uint8Array.of(0xff, 0xf9, 0x12, 0xff, 0xff, 0xff), undefined, options)
    assert.equal('fault' in decoded && decoded.fault, 'io')
  })

  test('too few bytes mean nothing', () => {
    const options = optionsOf(driver) as Mcp3008Options
    const decoded = driver.decode(new Uint8Array(23), undefined, options)
    assert.equal('fault' in decoded && decoded.fault, 'short')
  })
})
