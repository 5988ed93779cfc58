/** BH1750 against the worked numbers of ROHM's technical note, and with power lost at each moment. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import { driver } from '#src/hub/drivers/bh1750/driver'
import { VirtualBh1750 } from '#src/hub/drivers/bh1750/virtual-bh1750'
import type { VirtualI2cDevice } from '#src/hub/drivers/contract/virtual-device'
import { DriverRig, faultLike, ManualClock, optionsOf } from '#test/support/driver-rig'

/** The sensor with its bus: what was written, and a place to spoil what is read. */
class OnTheBus implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly chip = new VirtualBh1750()
  readonly written: number[] = []
  onWrite: (opcode: number) => void = () => {}
  onRead: (bytes: Uint8Array) => Uint8Array | undefined = (bytes) => bytes

  set(channel: string, value: number): void {
    this.chip.set(channel, value)
  }

  powerCycle(): void {
    this.chip.powerCycle()
  }

  write(bytes: Uint8Array): number {
    this.written.push(...bytes)
    const taken = this.chip.write(bytes)
    this.onWrite(bytes[0])
    return taken
  }

  read(count: number): Uint8Array | undefined {
    return this.onRead(this.chip.read(count))
  }
}

function setUp(context: TestContext, written: object = {}) {
  const clock = new ManualClock()
  context.mock.method(performance, 'now', clock.nowMs)
  const options = optionsOf(driver, written)
  const device = new OnTheBus()
  const rig = new DriverRig(driver, options, device, clock.tools)
  return { clock, options, device, rig, channel: driver.channels(options)[0] }
}

function decoded(...raw: number[]) {
  return driver.decode(Uint8Array.from(raw), undefined, optionsOf(driver))
}

function lux(...raw: number[]): number {
  const readings = decoded(...raw)
  assert.ok(!('fault' in readings))
  return readings[0].values[0]
}

function closeTo(value: number, wanted: number, within: number): void {
  assert.ok(Math.abs(value - wanted) <= within, `${value} is not ${wanted}`)
}

describe('golden vectors', () => {
  test('the example of the technical note, 0x8390 in high resolution, is 28067 lx', () => {
    closeTo(lux(69, 0x20, 0x83, 0x90), 28_067, 0.5)
  })

  test('one count is 0.83 lx, in the second high resolution 0.42 lx', () => {
    closeTo(lux(69, 0x20, 0x00, 0x01), 0.83, 0.005)
    closeTo(lux(69, 0x21, 0x00, 0x01), 0.42, 0.005)
  })

  test('the longest measurement in the second high resolution tells 0.11 lx', () => {
    closeTo(lux(254, 0x21, 0x00, 0x01), 0.11, 0.005)
  })

  test('the default measurement ends at 54 612 lx, the shortest beyond 100 000 lx', () => {
    closeTo(lux(31, 0x20, 0xff, 0xff), 121_556.9, 0.1)
    closeTo(lux(69, 0x20, 0xff, 0xff), 54_612.5, 0.1)
  })

  test('a measurement time of 138 is sent as 0x44 and 0x6A, as the technical note has it', async (t) => {
    const { rig, device } = setUp(t, { measurement_time: 138 })
    device.set('illuminance', 500)
    await rig.acquire()
    assert.deepEqual(device.written, [0x01, 0x07, 0x44, 0x6a, 0x20])
  })

  test('the default measurement time is sent as 0x42 and 0x65, low resolution as 0x23', async (t) => {
    const { rig, device } = setUp(t, { resolution: 'low' })
    device.set('illuminance', 500)
    await rig.acquire()
    assert.deepEqual(device.written, [0x01, 0x07, 0x42, 0x65, 0x23])
  })
})

describe('a measurement', () => {
  test('is waited for as long as the slowest chip takes, longer with a longer measurement time', async (t) => {
    for (const [written, ms] of [
      [{}, 180],
      [{ resolution: 'low' }, 24],
      [{ measurement_time: 254 }, 663],
      [{ measurement_time: 31, resolution: 'high2' }, 81],
    ] as const) {
      t.mock.restoreAll()
      const { rig, device, clock, options } = setUp(t, written)
      device.set('illuminance', 100)
      await rig.acquire()
      assert.equal(clock.nowMs(), ms)
      assert.equal(driver.shortestEveryMs(options), 2 * ms)
    }
  })

  test('carries how it was made, so that a recording decodes the same with other options', () => {
    const raw = Uint8Array.of(138, 0x21, 0x01, 0x00)
    const other = optionsOf(driver, { resolution: 'low', measurement_time: 31 })
    assert.deepEqual(driver.decode(raw, undefined, other), decoded(138, 0x21, 0x01, 0x00))
  })

  test('of darkness is 0 lx, after a second one that says the same', async (t) => {
    const { rig, device } = setUp(t)
    await rig.initialise()
    device.written.length = 0
    assert.deepEqual(await rig.values(), { illuminance: 0 })
    assert.equal(device.written.filter((opcode) => opcode === 0x20).length, 2)
  })

  test('of light beyond the scale is the end of the scale, out of range', async (t) => {
    const { rig, device, channel } = setUp(t)
    await rig.initialise()
    device.set('illuminance', 100_000)
    const [{ values, quality }] = await rig.readings()
    assert.equal(values[0], channel.range?.[1])
    assert.deepEqual(quality, [QUALITY.range])
  })

  test('leaves the chip powered down, where it obeys no reset', async (t) => {
    const { rig, device, clock } = setUp(t)
    device.set('illuminance', 100)
    await rig.acquire()
    clock.pass(1000)
    device.chip.write(Uint8Array.of(0x07))
    assert.deepEqual([...device.chip.read(2)], [0, 120])
  })
})

describe('a chip that loses power', () => {
  test('between two readings gives the right value with the next one', async (t) => {
    const { rig, device } = setUp(t, { measurement_time: 138 })
    await rig.initialise()
    device.set('illuminance', 100)
    const before = await rig.values()
    device.powerCycle()
    assert.deepEqual(await rig.values(), before)
  })

  test('while it measures gives no false darkness: it measures again', async (t) => {
    const { rig, device } = setUp(t)
    await rig.initialise()
    device.set('illuminance', 100)
    let cuts = 1
    device.onWrite = (opcode) => {
      if (opcode === 0x20 && cuts-- > 0) device.powerCycle()
    }
    assert.deepEqual(await rig.values(), { illuminance: 100 })
  })
})

describe('faults', () => {
  test('a chip that reads something after a reset is another one', async (t) => {
    const { rig, device } = setUp(t)
    device.onRead = () => Uint8Array.of(0x07, 0x07)
    await assert.rejects(rig.initialise(), faultLike('identity', /0x0707 after a reset/))
  })

  test('a data line that nobody drives is io', async (t) => {
    const { rig, device } = setUp(t)
    device.onRead = () => Uint8Array.of(0xff, 0xff)
    await assert.rejects(rig.initialise(), faultLike('io', /pull-ups/))
  })

  test('a chip that is not there is nack, when it is set up and when it is read', async (t) => {
    const { rig, device } = setUp(t)
    device.onRead = () => undefined
    await assert.rejects(rig.initialise(), faultLike('nack', /acknowledged/))
    await assert.rejects(rig.readings(), faultLike('nack', /acknowledged/))
  })

  test('bytes that were cut are short', () => {
    for (const raw of [[], [69], [69, 0x20, 1], [69, 0x20, 1, 2, 3]]) {
      assert.deepEqual((decoded(...raw) as { fault?: string }).fault, 'short')
    }
  })

  test('bytes without a possible measurement time or opcode are decode', () => {
    for (const raw of [
      [0, 0, 0, 0],
      [0xff, 0xff, 0xff, 0xff],
      [30, 0x20, 1, 2],
      [255, 0x20, 1, 2],
      [69, 0x22, 1, 2],
      [69, 0x10, 1, 2],
    ]) {
      assert.deepEqual((decoded(...raw) as { fault?: string }).fault, 'decode')
    }
  })

  test('a measurement time outside of 31 to 254 and an unknown resolution are refused', () => {
    assert.throws(() => optionsOf(driver, { measurement_time: 30 }), /from 31 to 254/)
    assert.throws(() => optionsOf(driver, { measurement_time: 255 }), /from 31 to 254/)
    assert.throws(() => optionsOf(driver, { resolution: 'highest' }), /high, high2, low/)
  })
})
