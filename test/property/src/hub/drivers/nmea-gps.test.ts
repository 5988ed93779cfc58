import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { driver } from '#src/hub/drivers/nmea-gps/driver'
import { writeSentence } from '#src/hub/drivers/nmea-gps/sentence'
import { MAX_SENTENCE_BYTES } from '#src/hub/drivers/nmea-gps/sentence-framer'
import { optionsOf } from '#test/support/driver-options'
import { cutAt, cuts, framesOf } from '#test/support/frames'

const OPTIONS = optionsOf(driver)
const byte = fc.oneof(fc.constantFrom(0x24, 0x2a, 13, 10, 0x2c, 0x21), fc.nat(255))
const noise = fc.array(byte, { maxLength: 60 }).map((list) => Uint8Array.from(list))
const field = fc.stringMatching(/^[A-Z0-9.,-]{0,30}$/)
const sentence = fc.tuple(fc.constantFrom('GPRMC', 'GNGGA', 'GLGSA', 'GAVTG', 'GBZDA', 'PUBX', 'GPGSV'), field)
const stream = fc
  .array(
    fc.oneof(
      noise,
      sentence.map(([address, rest]) => writeSentence(`${address},${rest}`)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts))

test('any chunking gives the same frames and skips the same bytes', () => {
  fc.assert(
    fc.property(stream, cuts, (bytes, at) => {
      const whole = framesOf(driver.framer(OPTIONS), [bytes])
      assert.deepEqual(framesOf(driver.framer(OPTIONS), cutAt(bytes, at)), whole)
      assert.ok(whole.frames.every((frame) => frame.length <= MAX_SENTENCE_BYTES))
    }),
  )
})

test('no bytes make it throw, and every frame is decoded, nothing or a fault', () => {
  fc.assert(
    fc.property(fc.array(stream, { maxLength: 4 }), (chunks) => {
      const decoder = driver.decoder(OPTIONS)
      for (const frame of framesOf(driver.framer(OPTIONS), chunks).frames) {
        const decoded = decoder.decode(frame)
        if (!isFault(decoded)) for (const { ageUs, values } of decoded) assert.ok(ageUs >= 0 && values.length === 11)
      }
      for (const chunk of chunks) decoder.decode(chunk)
    }),
  )
})

test('after any garbage the next whole sentences are read', () => {
  const good = Buffer.concat(
    ['120000', '120001'].map((time) => writeSentence(`GPRMC,${time},A,4807.038,N,01131.000,E,1,2,230394,,`)),
  )
  fc.assert(
    fc.property(noise, (garbage) => {
      const decoder = driver.decoder(OPTIONS)
      const { frames } = framesOf(driver.framer(OPTIONS), [garbage, good])
      const decoded = frames.map((frame) => decoder.decode(frame))
      assert.equal(decoded.filter((one) => !isFault(one)).flat().length, 2)
    }),
  )
})
