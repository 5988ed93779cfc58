import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SHT3X_HUMIDITY } from '#src/hub/drivers/sht3x/driver'
import { VirtualSht3x } from '#src/hub/drivers/sht3x/virtual-sht3x'
import { driver, SHT4X_HUMIDITY } from '#src/hub/drivers/sht4x/driver'
import type { Sht4xOptions } from '#src/hub/drivers/sht4x/sht4x-commands'
import { VirtualSht4x } from '#src/hub/drivers/sht4x/virtual-sht4x'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltI2c } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}) {
  const options = optionsOf(driver, written) as Sht4xOptions
  const clock = new ManualClock()
  const device = new VirtualSht4x(SHT4X_HUMIDITY, clock.nowMs)
  return { device, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

for (const [repeatability, everyMs] of [
  ['high', 9],
  ['medium', 5],
  ['low', 2],
] as const) {
  test(`what is set is read with ${repeatability} repeatability, each ${everyMs} ms at most`, async () => {
    const { device, rig, options } = rigOf({ repeatability })
    device.set('temperature', 63.21)
    device.set('relative_humidity', 88.8)
    await rig.initialise()
    const { temperature, relative_humidity } = await rig.values()
    assert.ok(Math.abs(temperature - 63.21) < 0.0015)
    assert.ok(Math.abs(relative_humidity - 88.8) < 0.001)
    assert.equal(driver.shortestEveryMs(options), everyMs)
  })
}

test('a reset between two measurements costs nothing', async () => {
  const { device, rig } = rigOf()
  await rig.initialise()
  device.powerCycle()
  assert.equal((await rig.readings()).length, 1)
})

test('an SHT3x at the same address, a wrong checksum and a dead bus are refused', async () => {
  const { device, clock, options } = rigOf()
  const initialise = (chip: Parameters<typeof spoiltI2c>[0]) =>
    new DriverRig(driver, options, chip, clock.tools).initialise()
  const sht3x = new VirtualSht3x(SHT3X_HUMIDITY, clock.nowMs)
  await assert.rejects(initialise(sht3x), faultLike('identity', /driver: sht3x/))
  const flipped = spoiltI2c(device, (_, answer) => answer?.map((byte) => byte ^ 0x01))
  await assert.rejects(initialise(flipped), faultLike('identity', /driver: sht3x/))
  const low = spoiltI2c(device, (_, answer) => answer?.fill(0))
  await assert.rejects(initialise(low), faultLike('io', /only 0x00 came/))
})

test('a chip that gives no measurement is a timeout', async () => {
  const { device, clock, options } = rigOf()
  const silent = new DriverRig(
    driver,
    options,
    spoiltI2c(device, () => undefined),
    clock.tools,
  )
  await assert.rejects(silent.acquire(), faultLike('timeout', /gives no measurement/))
})
