import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { driver, SHT3X_HUMIDITY } from '#src/hub/drivers/sht3x/driver'
import type { Sht3xOptions } from '#src/hub/drivers/sht3x/sht3x-commands'
import { VirtualSht3x } from '#src/hub/drivers/sht3x/virtual-sht3x'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltI2c } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}) {
  const options = optionsOf(driver, written) as Sht3xOptions
  const clock = new ManualClock()
  const device = new VirtualSht3x(SHT3X_HUMIDITY, clock.nowMs)
  return { device, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

for (const repeatability of ['high', 'medium', 'low']) {
  test(`what is set is read with ${repeatability} repeatability, single and periodic`, async () => {
    for (const mode of ['single', 'periodic']) {
      const { device, rig, clock } = rigOf({ mode, repeatability, rate_hz: 10 })
      device.set('temperature', -7.25)
      device.set('relative_humidity', 33.3)
      await rig.initialise()
      clock.pass(200)
      const { temperature, relative_humidity } = await rig.values()
      assert.ok(Math.abs(temperature + 7.25) < 0.0015, `${temperature}`)
      assert.ok(Math.abs(relative_humidity - 33.3) < 0.0008, `${relative_humidity}`)
    }
  })
}

test('in periodic mode a fetch without news is no fault, and each measurement is given once', async () => {
  const { rig, clock } = rigOf({ mode: 'periodic', rate_hz: 2 })
  await rig.initialise()
  assert.deepEqual(await rig.readings(), [])
  const given: number[] = []
  for (let step = 0; step < 40; step++) {
    clock.pass(50)
    given.push((await rig.readings()).length)
  }
  assert.equal(
    given.reduce((sum, count) => sum + count),
    4,
  )
})

test('words and steps are told', async () => {
  const { rig } = rigOf()
  await rig.initialise()
  const told: string[] = []
  await rig.readings((name) => told.push(name))
  assert.deepEqual(told, ['S_T', 'S_RH', 'temperature', 'relative_humidity'])
})

test('no command asks the chip to stretch the clock', async () => {
  const { device, clock, options } = rigOf()
  const commands: number[] = []
  const watched = spoiltI2c(device, (written, answer) => {
    commands.push((written[0] << 8) | written[1])
    return answer
  })
  const rig = new DriverRig(driver, options, watched, clock.tools)
  await rig.initialise()
  await rig.readings()
  assert.ok(commands.includes(0x2400))
  assert.ok(commands.every((command) => command >> 8 !== 0x2c && command !== 0x3780))
})

describe('what the chip can do wrong', () => {
  test('in periodic mode a chip that was reset behind our back is noticed and can be set up again', async () => {
    const { device, rig, clock } = rigOf({ mode: 'periodic', rate_hz: 10 })
    await rig.initialise()
    device.powerCycle()
    clock.pass(500)
    await assert.rejects(rig.acquire(), faultLike('setup', /was reset and measures no more/))
    await rig.initialise()
    clock.pass(500)
    assert.equal((await rig.readings()).length, 1)
  })

  test('a chip that is initialised while it measures by itself is stopped first', async () => {
    const { rig, clock } = rigOf({ mode: 'periodic', rate_hz: 10 })
    await rig.initialise()
    clock.pass(1000)
    await rig.initialise()
  })

  test('a reset in the middle of a measurement is a timeout, and the next one succeeds', async () => {
    const { device, options, clock, rig } = rigOf()
    await rig.initialise()
    let isCut = false
    const tools = {
      ...clock.tools,
      pause: async (ms: number) => {
        clock.pass(ms)
        if (!isCut) device.powerCycle()
        isCut = true
      },
    }
    const cut = new DriverRig(driver, options, device, tools)
    await assert.rejects(cut.acquire(), faultLike('timeout', /gives no measurement/))
    assert.equal((await rig.readings()).length, 1)
  })

  test('a status with a wrong checksum, and one that tells of no reset, are refused', async () => {
    const { device, clock, options } = rigOf()
    const flipped = spoiltI2c(device, (_, answer) => answer?.map((byte, at) => (at === 2 ? byte ^ 0x10 : byte)))
    await assert.rejects(
      new DriverRig(driver, options, flipped, clock.tools).initialise(),
      faultLike('crc', /checksum/),
    )
    const other = spoiltI2c(device, () => Uint8Array.of(0x00, 0x06, 0x27))
    await assert.rejects(
      new DriverRig(driver, options, other, clock.tools).initialise(),
      faultLike('identity', /no SHT3x/),
    )
  })

  test('an absent chip is not taken for one that has no news', async () => {
    const { device, clock, options } = rigOf({ mode: 'periodic' })
    const absent = { ...spoiltI2c(device, () => undefined), write: () => 0 }
    await assert.rejects(
      new DriverRig(driver, options, absent, clock.tools).acquire(),
      faultLike('nack', /acknowledged/),
    )
  })
})

test('cost and shortest interval follow mode and repeatability', () => {
  const of = (written: Record<string, unknown>) => optionsOf(driver, written) as Sht3xOptions
  assert.equal(driver.shortestEveryMs(of({})), 16)
  assert.equal(driver.shortestEveryMs(of({ repeatability: 'low' })), 5)
  assert.equal(driver.shortestEveryMs(of({ mode: 'periodic', rate_hz: 0.5 })), 2000)
  assert.equal(driver.cost(of({})).conversionMs, 16)
  assert.equal(driver.cost(of({ mode: 'periodic' })).conversionMs, 0)
})
