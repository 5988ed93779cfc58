import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { driver } from '#src/hub/drivers/mpu6050/driver'
import { configBytes, type Mpu6050Options } from '#src/hub/drivers/mpu6050/mpu6050-options'
import { VirtualMpu6050 } from '#src/hub/drivers/mpu6050/virtual-mpu6050'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'
import { spoiltI2c } from '#test/support/spoilt-device'

function rigOf(written: Record<string, unknown> = {}, id = 0x68) {
  const options = optionsOf(driver, written) as Mpu6050Options
  const clock = new ManualClock()
  const device = new VirtualMpu6050(options, clock.nowMs, id)
  return { device, clock, options, rig: new DriverRig(driver, options, device, clock.tools) }
}

/** Initialises and empties what was sampled meanwhile. */
async function started(written: Record<string, unknown> = {}, id = 0x68) {
  const made = rigOf(written, id)
  await made.rig.initialise()
  await made.rig.readings()
  return made
}

function decode(id: number, written: Record<string, unknown>, header: number[], ...words: number[]) {
  const options = optionsOf(driver, written) as Mpu6050Options
  const bytes = words.flatMap((word) => [(word >> 8) & 0xff, word & 0xff])
  const chip = driver.calibration(Uint8Array.of(id), options, readFault)
  return driver.decode(Uint8Array.of(...header, ...bytes), chip, options) as readonly DecodedReading[]
}

const near = (value: number, wanted: number, off: number) =>
  assert.ok(Math.abs(value - wanted) <= off, `${value} is not within ${off} of ${wanted}`)
const AT_ONCE = [0, 0, 0, 0, 0, 0]

describe('the register map`s numbers', () => {
  test('16384 at 2 g is standard gravity, and 131 at 250 degrees a second is one degree', () => {
    const [{ values }] = decode(0x68, {}, AT_ONCE, 16_384, -16_384, 0, 0, 131, -131, 0)
    near(values[0], 9.80665, 1e-12)
    near(values[1], -9.80665, 1e-12)
    near(values[4], Math.PI / 180, 1e-12)
    near(values[5], -Math.PI / 180, 1e-12)
  })

  test('2048 at 16 g is standard gravity, and 16.4 at 2000 degrees a second is one degree', () => {
    const ranges = { acceleration_range_g: 16, rotation_range_dps: 2000 }
    const [{ values }] = decode(0x68, ranges, AT_ONCE, 0, 0, 2048, 0, 0, 0, 164)
    near(values[2], 9.80665, 1e-12)
    near(values[6], (10 * Math.PI) / 180, 1e-12)
  })

  test('temperature is raw / 340 + 36.53, and of the successors as the Linux driver has it', () => {
    near(decode(0x68, {}, AT_ONCE, 1, 0, 0, -3920, 0, 0, 0)[0].values[3], -3920 / 340 + 36.53, 1e-12)
    near(decode(0x68, {}, AT_ONCE, 1, 0, 0, 0, 0, 0, 0)[0].values[3], 36.53, 1e-12)
    // (raw + offset) * scale in thousandths: 7011 and 2.995178, 8170 and 3.059976.
    for (const raw of [-2000, 0, 1500]) {
      near(decode(0x70, {}, AT_ONCE, 1, 0, 0, raw, 0, 0, 0)[0].values[3], ((raw + 7011) * 2.995178) / 1000, 0.005)
      near(decode(0x98, {}, AT_ONCE, 1, 0, 0, raw, 0, 0, 0)[0].values[3], ((raw + 8170) * 3.059976) / 1000, 0.005)
    }
  })

  test('rate, filter and ranges stand where they belong', () => {
    const written = { rate_hz: 250, filter_hz: 21, rotation_range_dps: 1000, acceleration_range_g: 8 }
    assert.deepEqual(configBytes(optionsOf(driver, written) as Mpu6050Options), [3, 4, 0x10, 0x10])
  })
})

for (const mode of ['fifo', 'single']) {
  test(`what is set is read in ${mode} mode`, async () => {
    const { device, rig, clock } = await started({ mode })
    device.set('acceleration_x', -3.21)
    device.set('angular_velocity_z', 1.5)
    device.set('temperature', 31.25)
    clock.pass(10)
    const values = await rig.values()
    near(values.acceleration_x, -3.21, 0.0003)
    near(values.acceleration_z, 9.80665, 0.0003)
    near(values.angular_velocity_z, 1.5, 0.0001)
    near(values.temperature, 31.25, 0.0015)
  })
}

test('at 1000 samples a second each one is given once, in order, with its own age', async (t) => {
  const { device, rig, clock } = await started({ rate_hz: 1000, frames_per_read: 40 })
  t.mock.method(performance, 'now', clock.nowMs)
  const firstMs = clock.nowMs()
  const given: { value: number; atMs: number }[] = []
  for (let ms = 0; ms < 2000; ms++) {
    device.set('acceleration_x', ms / 1000)
    clock.pass(1)
    // Read at uneven times, as a busy bus does.
    if ((ms * 7) % 23 > 1 && ms < 1999) continue
    for (const { values, ageUs } of await rig.readings()) {
      given.push({ value: values[0], atMs: clock.nowMs() - ageUs / 1000 })
    }
  }
  assert.equal(given.length, 2000)
  for (const [at, { value, atMs }] of given.entries()) {
    near(value, at / 1000, 0.0004)
    // Each sample is taken at the end of its millisecond; half a period is the mean of what is not known.
    near(atMs, firstMs + at + 1 - 0.5, 1e-6)
  }
})

test('ages are a period apart, and count the time since the count was read and the frames that are left', () => {
  const words = Array.from({ length: 21 }, (_, at) => at + 1)
  // 1000 us since the count, two frames left behind, 500 samples a second.
  const readings = decode(0x68, {}, [0, 0, 0x03, 0xe8, 0, 2], ...words)
  assert.deepEqual(
    readings.map(({ ageUs }) => ageUs),
    [1000 + 4000 + 1000 + 4000, 1000 + 4000 + 1000 + 2000, 1000 + 4000 + 1000],
  )
})

test('more frames than one read takes are left for the next', async () => {
  const { rig, clock } = await started({ frames_per_read: 10 })
  clock.pass(50)
  const [first, second, third] = [await rig.readings(), await rig.readings(), await rig.readings()]
  assert.deepEqual([first.length, second.length, third.length], [10, 10, 5])
  assert.ok(first[9].ageUs >= 15 * 2000)
  assert.deepEqual(await rig.readings(), [])
})

test('a word at the end of its scale is of quality range', () => {
  const [{ quality }] = decode(0x68, {}, AT_ONCE, 0x7fff, -0x8000, 0, 0, 0, 0, 0x7fff)
  const { good, range } = QUALITY
  assert.deepEqual(quality, [range, range, good, good, good, good, range])
})

test('words and steps of the newest sample are told', async () => {
  const { rig, clock } = await started()
  clock.pass(10)
  const told = new Map<string, unknown>()
  await rig.readings((name, value) => told.set(name, value))
  assert.equal(told.get('frames'), 5)
  assert.equal(told.get('word of acceleration_z'), '0x4000')
  for (const name of ['acceleration_x', 'temperature', 'angular_velocity_z']) assert.ok(told.has(name))
})

describe('what the chip can do wrong', () => {
  for (const [name, id] of [
    ['MPU-6050', 0x68],
    ['MPU-6500', 0x70],
    ['ICM-20689', 0x98],
  ] as const) {
    test(`a FIFO of an ${name} that ran over is told, and whole frames follow`, async () => {
      const { device, rig, clock } = await started({ accept_clone: true }, id)
      clock.pass(20_000)
      await assert.rejects(rig.acquire(), faultLike('overflow', /at least every 64 ms or lower rate_hz/))
      device.set('acceleration_y', 1.25)
      clock.pass(20)
      const readings = await rig.readings()
      assert.equal(readings.length, 10)
      for (const { values } of readings) near(values[1], 1.25, 0.0003)
    })
  }

  test('a FIFO that runs over while it is read is told too, though the count was still good', async () => {
    const { device, clock, options, rig: healthy } = await started()
    const slow = spoiltI2c(device, (written, answer) => {
      if (written[0] === 0x72) clock.pass(1000)
      return answer
    })
    clock.pass(100)
    const rig = new DriverRig(driver, options, slow, clock.tools)
    await assert.rejects(rig.acquire(), faultLike('overflow', /ran over/))
    clock.pass(20)
    assert.equal((await healthy.acquire()).length, 6 + 14 * 10)
  })

  test('a full FIFO is known by its count where the flag is not set', async () => {
    const { device, clock, options } = await started()
    const silent = spoiltI2c(device, (written, answer) => (written[0] === 0x3a ? Uint8Array.of(0) : answer))
    clock.pass(1000)
    await assert.rejects(
      new DriverRig(driver, options, silent, clock.tools).acquire(),
      faultLike('overflow', /ran over/),
    )
  })

  for (const mode of ['fifo', 'single']) {
    test(`a chip that was reset behind our back is noticed in ${mode} mode and can be set up again`, async () => {
      const { device, rig, clock } = await started({ mode })
      device.powerCycle()
      await assert.rejects(rig.acquire(), faultLike('setup', /read 0x00 0x40; it must be set up again/))
      await rig.initialise()
      clock.pass(10)
      assert.ok((await rig.readings()).length > 0)
    })
  }

  test('clones are refused with the word that accepts them, others and a dead bus always', async () => {
    await assert.rejects(rigOf({}, 0x70).rig.initialise(), faultLike('identity', /an MPU-6500, set accept_clone: true/))
    await assert.rejects(rigOf({}, 0x98).rig.initialise(), faultLike('identity', /an ICM-20689, set accept_clone/))
    for (const [byte, words] of [
      [0x00, /nothing answers/],
      [0xff, /nothing answers/],
      [0x42, /does not know/],
    ] as const) {
      const { device, clock, options } = rigOf({ accept_clone: true })
      const other = spoiltI2c(device, () => Uint8Array.of(byte))
      const rig = new DriverRig(driver, options, other, clock.tools)
      await assert.rejects(rig.initialise(), faultLike('identity', words))
    }
  })

  test('an accepted clone counts temperature in its own way', async () => {
    const { device, rig, clock } = await started({ accept_clone: true }, 0x70)
    device.set('temperature', 31.25)
    clock.pass(10)
    near((await rig.values()).temperature, 31.25, 0.0016)
  })

  test('a line that hangs high is a fault of its own', async () => {
    const { device, clock, options } = await started()
    const high = spoiltI2c(device, (_, answer) => answer?.fill(0xff))
    await assert.rejects(new DriverRig(driver, options, high, clock.tools).acquire(), faultLike('io', /only 0xFF/))
  })

  test('frames of a dead bus, cut frames and an unknown identity mean nothing', () => {
    const faultOf = (...bytes: number[]) => {
      const options = optionsOf(driver) as Mpu6050Options
      const chip = driver.calibration(Uint8Array.of(0x68), options, readFault)
      const decoded = driver.decode(Uint8Array.from(bytes), chip, options)
      return 'fault' in decoded ? decoded.fault : undefined
    }
    assert.equal(faultOf(...new Array(20).fill(0)), 'io')
    assert.equal(faultOf(...AT_ONCE, ...new Array(28).fill(0xff)), 'io')
    assert.equal(faultOf(...new Array(19).fill(1)), 'short')
    assert.equal(faultOf(...AT_ONCE), 'short')
    const options = optionsOf(driver) as Mpu6050Options
    for (const bytes of [Uint8Array.of(), Uint8Array.of(0), Uint8Array.of(0x68, 0x68)]) {
      assert.throws(() => driver.calibration(bytes, options, readFault), faultLike('setup', /no known chip has/))
    }
  })
})
