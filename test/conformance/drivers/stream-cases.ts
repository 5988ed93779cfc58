import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '#src/hub/drivers/contract/decoded'
import type { AnyStreamDriver } from '#src/hub/drivers/contract/driver-module'
import type { OptionShape, OptionsOf } from '#src/hub/drivers/contract/option-fields'
import type { Framer } from '#src/hub/drivers/contract/stream-driver'
import type { VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { optionsOf } from '#test/support/driver-rig'
import { checkDecoded, toleranceOf, valueAt } from './decoded-checks.js'
import { exampleOptions } from './example-options.js'

/** So many turns of a virtual device's own clock bring a reading of each channel. */
const MOST_TURNS = 50

/** What the contract asks of a driver whose device talks by itself. */
export function streamCases(folder: string, driver: AnyStreamDriver): void {
  for (const [at, written] of exampleOptions(folder).entries()) {
    describe(`with options ${at}: ${JSON.stringify(written)}`, () => lineCases(driver, optionsOf(driver, written)))
  }
}

/** The bytes that a virtual device sends in so many turns after the driver's start commands. */
class Talk {
  readonly device: VirtualLineDevice
  readonly #acts: (() => void)[] = []
  #came: number[] = []

  constructor(driver: AnyStreamDriver, options: OptionsOf<OptionShape>) {
    const device = driver.emulate(options)
    assert.equal(device.bus, 'line')
    this.device = device as VirtualLineDevice
    const every = (_ms: number, act: () => void) => {
      this.#acts.push(act)
      return () => {}
    }
    this.device.connect((bytes) => this.#came.push(...bytes), every)
    for (const command of driver.startCommands?.(options) ?? []) this.device.receive(command)
  }

  turn(): Uint8Array {
    for (const act of this.#acts) act()
    const bytes = Uint8Array.from(this.#came)
    this.#came = []
    return bytes
  }
}

function framesOf(framer: Framer, bytes: Uint8Array, cuts: readonly number[] = []): Uint8Array[] {
  const frames: Uint8Array[] = []
  const edges = [0, ...[...new Set(cuts)].sort((a, b) => a - b), bytes.length]
  for (let at = 1; at < edges.length; at++) {
    framer.push(bytes.slice(edges[at - 1], edges[at]))
    for (let frame = framer.next(); frame; frame = framer.next()) frames.push(frame.slice())
  }
  return frames
}

function lineCases(driver: AnyStreamDriver, options: OptionsOf<OptionShape>): void {
  const channels = driver.channels(options)

  test('silence has a limit', () => {
    const ms = driver.silenceMs(options)
    assert.ok(Number.isFinite(ms) && ms > 0)
  })

  test('every channel is read within its resolution of what was set', () => {
    const talk = new Talk(driver, options)
    assert.throws(() => talk.device.set('no such channel', 1), RangeError)
    for (const share of [0.6, 0.3]) {
      for (const channel of channels) talk.device.set(channel.name, valueAt(channel, share))
      const framer = driver.framer(options)
      const decoder = driver.decoder(options)
      const values = channels.map(() => Number.NaN)
      for (let turn = 0; turn < MOST_TURNS; turn++) {
        for (const frame of framesOf(framer, talk.turn())) {
          const decoded = decoder.decode(frame)
          checkDecoded(decoded, channels)
          if (isFault(decoded)) assert.fail(decoded.message)
          for (const reading of decoded) {
            for (let at = 0; at < values.length; at++) {
              if (!Number.isNaN(reading.values[at])) values[at] = reading.values[at]
            }
          }
        }
      }
      for (const [at, channel] of channels.entries()) {
        const wanted = valueAt(channel, share)
        const isNear = Math.abs(values[at] - wanted) <= toleranceOf(channel, wanted)
        assert.ok(isNear, `${channel.name} was set to ${wanted} and reads ${values[at]}`)
      }
    }
  })

  test('frames are the same however the bytes are cut', () => {
    const talk = new Talk(driver, options)
    const bytes = Uint8Array.from(Array.from({ length: 5 }, () => Array.from(talk.turn())).flat())
    const whole = framesOf(driver.framer(options), bytes)
    assert.ok(whole.length > 0)
    fc.assert(
      fc.property(fc.array(fc.nat(bytes.length), { maxLength: 30 }), (cuts) => {
        assert.deepEqual(framesOf(driver.framer(options), bytes, cuts), whole)
      }),
    )
  })

  test('framer and decoder never throw, whatever comes, and find the device again', () => {
    const talk = new Talk(driver, options)
    const sound = Uint8Array.from(Array.from({ length: 5 }, () => Array.from(talk.turn())).flat())
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        const framer = driver.framer(options)
        const decoder = driver.decoder(options)
        for (const frame of framesOf(framer, noise)) checkDecoded(decoder.decode(frame), channels)
        assert.ok(framer.takeSkipped() <= noise.length)
        const after = framesOf(framer, Uint8Array.of(...sound, ...sound))
        for (const frame of after) checkDecoded(decoder.decode(frame), channels)
        assert.ok(after.length > 0)
      }),
    )
  })

  test('a decoder tells its steps and gives the same, told or not', () => {
    const talk = new Talk(driver, options)
    const frames = framesOf(driver.framer(options), Uint8Array.of(...talk.turn(), ...talk.turn()))
    const [silent, telling] = [driver.decoder(options), driver.decoder(options)]
    const told: string[] = []
    for (const frame of frames) {
      const before = frame.slice()
      assert.deepEqual(
        telling.decode(frame, (name) => told.push(name)),
        silent.decode(frame),
      )
      assert.deepEqual(frame, before)
    }
    assert.ok(told.length > 0)
  })
}
