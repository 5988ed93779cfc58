import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { TelemetryError } from '#core/errors/telemetry-error'
import { isFault } from '#src/hub/drivers/contract/decoded'
import type { AnyPolledDriver } from '#src/hub/drivers/contract/driver-module'
import { readFault } from '#src/hub/drivers/contract/fault'
import type { BusKind } from '#src/hub/drivers/contract/manifest'
import type { OptionShape, OptionsOf } from '#src/hub/drivers/contract/option-fields'
import type { Port } from '#src/hub/drivers/contract/ports'
import { DriverRig, ManualClock, optionsOf } from '#test/support/driver-rig'
import { checkDecoded, checkNoSilentNaN, DEVICE_BUS, toleranceOf, valueAt } from './decoded-checks.js'
import { exampleOptions } from './example-options.js'

/** So often a driver is asked for a first reading, each time after its shortest interval. */
const MOST_ASKS = 5

/** What the contract asks of a driver that is polled, over each of its buses and with each of its example options. */
export function polledCases(folder: string, driver: AnyPolledDriver): void {
  for (const [at, written] of exampleOptions(folder).entries()) {
    describe(`with options ${at}: ${JSON.stringify(written)}`, () => {
      const options = optionsOf(driver, written)
      costCases(driver, options)
      for (const bus of driver.manifest.buses) describe(`over ${bus}`, () => busCases(driver, options, bus))
    })
  }
}

type Options = OptionsOf<OptionShape>

function costCases(driver: AnyPolledDriver, options: Options): void {
  test('cost and shortest interval are finite, and an interval is no shorter than its conversion', () => {
    const { transactions, conversionMs, answerMs } = driver.cost(options)
    assert.ok(transactions.length > 0)
    for (const { bytes } of transactions) assert.ok(Number.isInteger(bytes) && bytes >= 0 && bytes <= 8192)
    assert.ok(Number.isFinite(conversionMs) && conversionMs >= 0)
    if (answerMs !== undefined) assert.ok(Number.isFinite(answerMs) && answerMs >= 0)
    const shortestMs = driver.shortestEveryMs(options)
    assert.ok(Number.isFinite(shortestMs) && shortestMs > 0 && shortestMs >= conversionMs)
  })
}

/** A driver with its virtual device, in time that passes only when something pauses. */
function setUp(context: TestContext, driver: AnyPolledDriver, options: Options, bus: BusKind) {
  const clock = new ManualClock()
  context.mock.method(performance, 'now', clock.nowMs)
  const device = driver.emulate(options, bus)
  const rig = new DriverRig<OptionShape, Port, unknown>(driver, options, device, clock.tools)
  /** The bytes of an acquisition that has news. */
  const acquired = async () => {
    for (let ask = 0; ask < MOST_ASKS; ask++) {
      clock.pass(driver.shortestEveryMs(options) + 1)
      const raw = await rig.acquire()
      if (raw.length > 0) return raw
    }
    return assert.fail(`${MOST_ASKS} acquisitions brought nothing.`)
  }
  return { clock, device, rig, acquired, channels: driver.channels(options) }
}

function busCases(driver: AnyPolledDriver, options: Options, bus: BusKind): void {
  test('the virtual device stands on this bus and refuses a channel that it does not have', (t) => {
    const { device } = setUp(t, driver, options, bus)
    assert.equal(device.bus, DEVICE_BUS[bus])
    assert.throws(() => device.set('no such channel', 1), RangeError)
  })

  test('every channel is read within its resolution of what was set', async (t) => {
    const { rig, device, channels, acquired } = setUp(t, driver, options, bus)
    const calibration = driver.calibration(await rig.initialise(), options, readFault)
    for (const share of [0.6, 0.3]) {
      for (const [at, channel] of channels.entries()) {
        const wanted = valueAt(channel, share)
        device.set(channel.name, wanted)
        await acquired()
        // A filter in the chip has settled after some measurements.
        let value = Number.NaN
        for (let turn = 0; turn < 40 && !(Math.abs(value - wanted) <= toleranceOf(channel, wanted)); turn++) {
          const decoded = driver.decode(await acquired(), calibration, options)
          if (isFault(decoded)) assert.fail(decoded.message)
          value = decoded.at(-1)?.values[at] ?? value
        }
        const off = Math.abs(value - wanted)
        assert.ok(off <= toleranceOf(channel, wanted), `${channel.name} was set to ${wanted} and reads ${value}`)
      }
    }
  })

  test('decode is pure: the same bytes give the same, told or not, and stay as they are', async (t) => {
    const { rig, acquired, channels } = setUp(t, driver, options, bus)
    const bytes = await rig.initialise()
    const raw = await acquired()
    const before = { raw: raw.slice(), bytes: bytes.slice() }
    const calibration = driver.calibration(bytes, options, readFault)
    const first = driver.decode(raw, calibration, options)
    checkDecoded(first, channels)
    const told: string[] = []
    const second = driver.decode(raw, driver.calibration(bytes, options, readFault), options, (name) => told.push(name))
    assert.deepEqual(second, first)
    assert.ok(told.length > 0, 'decode tells no step of its arithmetic')
    assert.deepEqual({ raw, bytes }, before)
  })

  test('decode never throws, whatever the bytes', async (t) => {
    const { rig, acquired, channels } = setUp(t, driver, options, bus)
    const calibration = driver.calibration(await rig.initialise(), options, readFault)
    const raw = await acquired()
    const check = (bytes: Uint8Array) => checkDecoded(driver.decode(bytes, calibration, options), channels)
    for (let length = 0; length < raw.length; length++) check(raw.subarray(0, length))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2 * raw.length + 4 }), check))
    fc.assert(fc.property(fc.uint8Array({ minLength: raw.length, maxLength: raw.length }), check))
    // Real bytes with a few of them changed reach deeper than random ones.
    const flips = fc.array(fc.tuple(fc.nat(raw.length - 1), fc.integer({ min: 1, max: 255 })), { maxLength: 4 })
    fc.assert(
      fc.property(flips, (changes) => {
        const changed = raw.slice()
        for (const [at, bits] of changes) changed[at] ^= bits
        check(changed)
        checkNoSilentNaN(driver.decode(changed, calibration, options), channels)
      }),
    )
  })

  test('bytes that only a dead bus gives are refused', async (t) => {
    const { rig, acquired, channels } = setUp(t, driver, options, bus)
    const calibration = driver.calibration(await rig.initialise(), options, readFault)
    const { length } = await acquired()
    for (const byte of [0x00, 0xff]) {
      const decoded = driver.decode(new Uint8Array(length).fill(byte), calibration, options)
      checkDecoded(decoded, channels)
      // What a line or a file has of zeros may be true; a clocked bus has no other sign of life.
      if (bus === 'i2c' || bus === 'spi') assert.ok(isFault(decoded), `only ${byte} gave a reading`)
    }
  })

  test('a calibration that cannot be is refused, and none gives NaN silently', async (t) => {
    const { rig, acquired, channels } = setUp(t, driver, options, bus)
    const real = await rig.initialise()
    const raw = await acquired()
    const check = (bytes: Uint8Array) => {
      let calibration: unknown
      try {
        calibration = driver.calibration(bytes, options, readFault)
      } catch (error) {
        assert.ok(error instanceof TelemetryError && error.code === 'TLM_READ_FAILED', String(error))
        return
      }
      const decoded = driver.decode(raw, calibration, options)
      checkDecoded(decoded, channels)
      checkNoSilentNaN(decoded, channels)
    }
    check(real)
    check(real.map(() => 0x00))
    check(real.map(() => 0xff))
    fc.assert(fc.property(fc.uint8Array({ maxLength: real.length + 4 }), check))
    fc.assert(fc.property(fc.uint8Array({ minLength: real.length, maxLength: real.length }), check))
  })

  test('a device that was without power measures again once it is initialised', async (t) => {
    const { rig, device, clock, acquired, channels } = setUp(t, driver, options, bus)
    await rig.initialise()
    await acquired()
    device.powerCycle()
    clock.pass(driver.shortestEveryMs(options) + 1)
    try {
      checkDecoded(driver.decode(await rig.acquire(), await again(), options), channels)
    } catch (error) {
      assert.ok(error instanceof TelemetryError && error.code === 'TLM_READ_FAILED', String(error))
    }
    const decoded = driver.decode(await acquiredAfterInitialise(), await again(), options)
    assert.ok(!isFault(decoded) && decoded.length > 0)

    async function again() {
      return driver.calibration(await rig.initialise(), options, readFault)
    }
    async function acquiredAfterInitialise() {
      await rig.initialise()
      return acquired()
    }
  })
}
