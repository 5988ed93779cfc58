import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { driver } from '#src/hub/drivers/command-sensor/driver'
import { VirtualCommandSensor } from '#src/hub/drivers/command-sensor/virtual-command-sensor'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { LineFramer } from '#src/hub/drivers/framing/line-framer'
import { optionsOf } from '#test/support/driver-options'
import { cutAt, cuts, framesOf } from '#test/support/frames'

const MAX_LINE_BYTES = 6
const bytes = fc.array(fc.constantFrom(13, 10, 97, 0, 255), { maxLength: 200 }).map((list) => Uint8Array.from(list))

test('any chunking gives the same lines, none over the limit, and every byte is accounted for', () => {
  fc.assert(
    fc.property(bytes, cuts, (stream, at) => {
      const ended = Uint8Array.of(...stream, 10)
      const whole = framesOf(new LineFramer(MAX_LINE_BYTES), [ended])
      assert.deepEqual(framesOf(new LineFramer(MAX_LINE_BYTES), cutAt(ended, at)), whole)
      const lines = Buffer.from(ended).toString('latin1').slice(0, -1).split('\n')
      const short = lines.map((line) => line.replace(/\r$/, '')).filter((line) => line.length <= MAX_LINE_BYTES)
      assert.deepEqual(
        whole.frames.map((frame) => frame.toString('latin1')),
        short,
      )
      const long = lines.filter((line) => line.replace(/\r$/, '').length > MAX_LINE_BYTES)
      assert.equal(
        whole.skipped,
        long.reduce((sum, line) => sum + line.length + 1, 0),
      )
    }),
  )
})

test('no bytes make the decoder or the device throw, and after any garbage both are as good as before', () => {
  const options = optionsOf(driver, { sequence: true })
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, fc.uint8Array()), { maxLength: 6 }), (garbage) => {
      const decoder = driver.decoder(options)
      const sample = Buffer.from('\nSAMPLE: 1.5, Seq=7\n')
      const { frames } = framesOf(driver.framer(options), [...garbage, sample])
      const decoded = frames.map((frame) => decoder.decode(frame)).at(-1)!
      assert.ok(!isFault(decoded))
      assert.deepEqual(decoded[0].values, [1.5, 7])
      const device = new VirtualCommandSensor({ faultAfterSamples: 0, seed: 1 })
      let heard = ''
      device.connect(
        (sent) => {
          heard += Buffer.from(sent).toString()
        },
        () => () => {},
      )
      for (const chunk of garbage) device.receive(chunk)
      device.receive(Buffer.from('\nRESET\n'))
      assert.ok(heard.endsWith('OK: Reset to Idle\n'), heard)
    }),
  )
})
