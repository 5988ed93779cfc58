import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Bme280Options } from '#src/hub/drivers/bme280/bme280-options'
import { driver } from '#src/hub/drivers/bme280/driver'
import { virtualBme280 } from '#src/hub/drivers/bme280/virtual-bme280'
import { VirtualChip } from '#src/hub/drivers/bme280/virtual-chip'
import { DriverRig, ManualClock, optionsOf } from '#test/support/driver-rig'

const whole = (middle: number, off: number) => fc.integer({ min: middle - off, max: middle + off })
const twelve = fc.integer({ min: -2048, max: 2047 })

/** Coefficients as parts have them, near the datasheet's example; H4 and H5 of either sign. */
const coefficients = fc.record({
  t: fc.tuple(whole(27_504, 800), whole(26_435, 600), whole(-1000, 1050)),
  p: fc.tuple(
    ...[whole(36_477, 1500), whole(-10_685, 300), whole(3024, 30), whole(2855, 4000), whole(140, 200)],
    ...[whole(-7, 3), whole(15_500, 100), whole(-14_600, 100), whole(6000, 50)],
  ),
  h1: fc.constantFrom(0, 75),
  h2: whole(360, 20),
  h4: fc.integer({ min: -300, max: 400 }),
  h5: fc.oneof(
    fc.constantFrom(-4, 0, 50),
    twelve.map((word) => word >> 4),
  ),
  h6: whole(30, 3),
})

const truth = fc.record({
  temperature: fc.double({ min: -40, max: 85, noNaN: true }),
  pressure: fc.double({ min: 30_000, max: 110_000, noNaN: true }),
  relative_humidity: fc.double({ min: 5, max: 95, noNaN: true }),
})

function bytesOf(made: typeof coefficients extends fc.Arbitrary<infer T> ? T : never): Uint8Array {
  const bytes = new Uint8Array(33)
  const view = new DataView(bytes.buffer)
  for (const [at, word] of [...made.t, ...made.p].entries()) view.setInt16(2 * at, word, true)
  bytes[25] = made.h1
  view.setInt16(26, made.h2, true)
  bytes.set([made.h4 >> 4, (made.h4 & 0x0f) | ((made.h5 & 0x0f) << 4), made.h5 >> 4, made.h6], 29)
  return bytes
}

test('what a chip of any usual calibration senses is read within its steps', async () => {
  await fc.assert(
    fc.asyncProperty(coefficients, truth, fc.constantFrom('i2c' as const, 'spi' as const), async (made, real, bus) => {
      const options = optionsOf(driver, {
        temperature_oversampling: 16,
        pressure_oversampling: 16,
      }) as Bme280Options
      const clock = new ManualClock()
      const chip = new VirtualChip('bme280', bytesOf(made), clock.nowMs)
      for (const [channel, value] of Object.entries(real)) chip.set(channel, value)
      const rig = new DriverRig(driver, options, virtualBme280(options, bus, chip), clock.tools)
      await rig.initialise()
      const values = await rig.values()
      const isHeld = chip.read(0xfd, 2).every((byte) => byte === 0) || chip.read(0xfd, 2).every((byte) => byte === 0xff)
      const isCodeOfPressureHeld = chip.read(0xf7, 3).every((byte) => byte === 0)
      assert.ok(Math.abs(values.temperature - real.temperature) < 0.001, `${values.temperature}`)
      if (!isCodeOfPressureHeld) assert.ok(Math.abs(values.pressure - real.pressure) < 0.5, `${values.pressure}`)
      // A code beyond sixteen bits is held by the converter, not by the arithmetic.
      if (!isHeld) assert.ok(Math.abs(values.relative_humidity - real.relative_humidity) < 0.02)
    }),
    { numRuns: 300 },
  )
})
