import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { driver as mhz19 } from '#src/hub/drivers/mh-z19/driver'
import { answerLength } from '#src/hub/drivers/mh-z19/frame'
import { driver as sds011 } from '#src/hub/drivers/sds011/driver'
import { deviceFrame, READING } from '#src/hub/drivers/sds011/frame'
import { optionsOf } from '#test/support/driver-rig'
import { cutAt, cuts, framesOf } from '#test/support/frames'

const OPTIONS = optionsOf(sds011)
const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => bytes.map((byte) => (byte % 3 === 0 ? 0xaa : byte)))
const data = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 })
const frame = data.map((body) => deviceFrame(READING, body, 0xaaab))
const stream = fc.array(fc.oneof(noise, frame), { maxLength: 6 }).map((parts) => Buffer.concat(parts))

test('any chunking gives the same frames of fine dust, and every byte is in a frame, skipped or kept', () => {
  fc.assert(
    fc.property(stream, cuts, (bytes, at) => {
      const whole = framesOf(sds011.framer(OPTIONS), [bytes])
      assert.deepEqual(framesOf(sds011.framer(OPTIONS), cutAt(bytes, at)), whole)
      const kept = bytes.length - whole.skipped - whole.frames.length * 10
      assert.ok(kept >= 0 && kept < 10)
    }),
  )
})

test('after any garbage the second of two whole frames is read', () => {
  fc.assert(
    fc.property(noise, frame, (garbage, good) => {
      const { frames } = framesOf(sds011.framer(OPTIONS), [garbage, good, good])
      assert.deepEqual(frames.at(-1), Buffer.from(good))
    }),
  )
})

test('no bytes make a decoder throw', () => {
  const options = optionsOf(mhz19)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), fc.double(), (bytes, startedMs) => {
      const decoded = sds011.decoder(OPTIONS).decode(bytes)
      assert.ok(isFault(decoded) || decoded.length <= 1)
      mhz19.decode(bytes, startedMs, options)
      const length = answerLength(bytes)
      assert.ok(length === undefined || (length >= 9 && length <= bytes.length))
      if (bytes.length !== 8) assert.throws(() => mhz19.calibration(bytes, options, readFault))
    }),
  )
})
