import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { faultOf } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/mpu6050/driver'
import type { Mpu6050Options } from '#src/hub/drivers/mpu6050/mpu6050-options'
import { VirtualMpu6050 } from '#src/hub/drivers/mpu6050/virtual-mpu6050'
import { DriverRig, ManualClock, optionsOf } from '#test/support/driver-rig'

/** Steps of acceleration, far enough apart to tell one sample from the next. */
const STEP = 0.01

test('whenever it is read, each sample comes once, whole and in order, or an overflow is told', async (t) => {
  let nowMs = () => 0
  t.mock.method(performance, 'now', () => nowMs())
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0x68, 0x70, 0x98),
      fc.integer({ min: 1, max: 73 }),
      fc.array(fc.integer({ min: 0, max: 150 }), { minLength: 1, maxLength: 40 }),
      async (id, framesPerRead, pausesMs) => {
        const written = { rate_hz: 1000, frames_per_read: framesPerRead, accept_clone: true }
        const options = optionsOf(driver, written) as Mpu6050Options
        const clock = new ManualClock()
        nowMs = clock.nowMs
        const device = new VirtualMpu6050(options, clock.nowMs, id)
        const rig = new DriverRig(driver, options, device, clock.tools)
        await rig.initialise()
        let sample = 0
        let expected = 1
        for (const pauseMs of pausesMs) {
          for (let ms = 0; ms < pauseMs; ms++) {
            sample++
            device.set('acceleration_x', (sample % 1000) * STEP)
            clock.pass(1)
          }
          try {
            for (const { values } of await rig.readings()) {
              assert.ok(Math.abs(values[0] - (expected % 1000) * STEP) < STEP / 4, `sample ${expected}: ${values[0]}`)
              expected++
            }
          } catch (error) {
            if (faultOf(error) !== 'overflow') throw error
            // What was lost was told; the next that comes is the next that is sampled.
            expected = sample + 1
          }
        }
        assert.ok(expected <= sample + 1)
      },
    ),
    { numRuns: 100 },
  )
})
