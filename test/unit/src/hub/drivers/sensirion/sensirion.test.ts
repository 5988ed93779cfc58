import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { DecodedReading } from '#src/hub/drivers/contract/decoded'
import { checkedWord, crc8, wordsOf } from '#src/hub/drivers/sensirion/checked-words'
import { decodeClimate } from '#src/hub/drivers/sensirion/climate'

const SHT3X = { offset: 0, span: 100 }
const SHT4X = { offset: -6, span: 125 }
const bytesOf = (...words: number[]) => Uint8Array.from(words.flatMap(checkedWord))
const valuesOf = (raw: Uint8Array, scale: typeof SHT3X) => {
  const [{ values }] = decodeClimate(raw, scale) as readonly DecodedReading[]
  return Array.from(values)
}

test('the checksum of 0xBEEF is 0x92, the example of the datasheet', () => {
  assert.equal(crc8(0xbe, 0xef), 0x92)
  // By hand with the same polynomial.
  assert.equal(crc8(0x00, 0x00), 0x81)
  assert.equal(crc8(0xff, 0xff), 0xac)
})

test('words map to degrees and percent as the datasheets say', () => {
  // SHT3x section 4.13 and SHT4x section 4.6 at the ends and the middle of the scale.
  assert.deepEqual(valuesOf(bytesOf(0x0000, 0x0000), SHT3X), [-45, 0])
  assert.deepEqual(valuesOf(bytesOf(0xffff, 0xffff), SHT3X), [130, 100])
  const [celsius, percent] = valuesOf(bytesOf(0x6666, 0x8000), SHT3X)
  assert.equal(celsius.toFixed(6), '25.000000')
  assert.equal(percent.toFixed(4), '50.0008')
  assert.equal(valuesOf(bytesOf(0x6666, 0x8000), SHT4X)[1].toFixed(4), '56.5010')
})

test('the doubles agree with the fixed-point form of the Linux drivers', () => {
  for (let word = 0; word <= 0xffff; word += 257) {
    const [celsius, percent3] = valuesOf(bytesOf(word, word), SHT3X)
    const [, percent4] = valuesOf(bytesOf(word, word), SHT4X)
    // drivers/hwmon/sht3x.c and sht4x.c, in thousandths; they divide by 65536.
    assert.ok(Math.abs(celsius - (((21_875 * word) >> 13) - 45_000) / 1000) < 0.004)
    assert.ok(Math.abs(percent3 - ((12_500 * word) >> 13) / 1000) < 0.003)
    const linux = (((15_625 * word) >> 13) - 6000) / 1000
    assert.ok(Math.abs(percent4 - Math.min(Math.max(linux, 0), 100)) < 0.004)
  }
})

test('a wrong checksum tells the bytes, what was expected and what came', () => {
  const raw = bytesOf(0xbeef, 0x8000)
  raw[2] ^= 1
  assert.deepEqual(wordsOf(raw, 2), {
    fault: 'crc',
    message:
      'Bytes 0xBE 0xEF have the checksum 0x92, 0x93 came; shorten the wires or lower the clock of the bus if this comes back.',
  })
})

test('a flipped bit in any of the six bytes is found', () => {
  for (let bit = 0; bit < 48; bit++) {
    const raw = bytesOf(0x6666, 0x8000)
    raw[bit >> 3] ^= 1 << (bit & 7)
    const decoded = decodeClimate(raw, SHT3X)
    assert.equal('fault' in decoded && decoded.fault, 'crc', `bit ${bit}`)
  }
})

test('bytes of a dead bus and a short answer are faults of their own', () => {
  const faultOf = (raw: Uint8Array) => {
    const decoded = decodeClimate(raw, SHT3X)
    return 'fault' in decoded ? decoded.fault : undefined
  }
  assert.equal(faultOf(new Uint8Array(6)), 'io')
  assert.equal(faultOf(new Uint8Array(6).fill(0xff)), 'io')
  assert.equal(faultOf(bytesOf(0x6666)), 'short')
})

test('beyond the limits of operation a temperature is of quality range', () => {
  const [{ quality }] = decodeClimate(bytesOf(0xffff, 0x8000), SHT3X) as readonly DecodedReading[]
  assert.deepEqual(quality, [QUALITY.range, QUALITY.good])
})
