import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { conversion, convertibleTo, unitSymbol } from '#src/hub/channels/units'

function convert(value: number, from: string, to: string): number {
  const steps = conversion(from, to)
  assert.ok(steps, `${from} to ${to}`)
  return value * steps.gain + steps.offset
}

/** Golden values of NIST SP 811 and of the definitions themselves. */
const GOLDEN: readonly [value: number, from: string, to: string, expected: number][] = [
  [100, 'Cel', '[degF]', 212],
  [-40, 'degF', 'celsius', -40],
  [0, 'Cel', 'K', 273.15],
  [0, 'K', '[degF]', -459.67],
  [101_325, 'Pa', 'hPa', 1013.25],
  [1, 'bar', '[psi]', 14.503773773020923],
  [1, 'mm[Hg]', 'Pa', 133.322387415],
  [1, 'inHg', 'Pa', 3386.388640341],
  [3300, 'mV', 'V', 3.3],
  [0.02, 'A', 'mA', 20],
  [10, 'm/s', 'km/h', 36],
  [1, 'kn', 'km/h', 1.852],
  [55, '%', '1', 0.55],
  [0.04, '%', 'ppm', 400],
  [1000, 'ft', 'm', 304.8],
  [1, '[g]', 'm/s2', 9.80665],
  [180, 'deg/s', 'rad/s', Math.PI],
  [1.5, 'kWh', 'J', 5.4e6],
]

describe('units', () => {
  it('convert as their definitions say, there and back', () => {
    for (const [value, from, to, expected] of GOLDEN) {
      const there = convert(value, from, to)
      assert.ok(
        Math.abs(there - expected) <= 1e-9 * Math.max(1, Math.abs(expected)),
        `${value} ${from} is ${there} ${to}`,
      )
      assert.ok(Math.abs(convert(there, to, from) - value) <= 1e-9 * Math.max(1, Math.abs(value)), `${to} to ${from}`)
    }
  })

  it('do not convert into what they do not measure, nor what is not known', () => {
    assert.equal(conversion('Cel', 'Pa'), undefined)
    assert.equal(conversion('arb.units', 'V'), undefined)
    assert.equal(conversion('V', 'constructor'), undefined)
    assert.deepEqual(conversion('arb.units', 'arb.units'), { gain: 1, offset: 0 })
  })

  it('are known by what people write', () => {
    assert.equal(unitSymbol('degF'), '[degF]')
    assert.equal(unitSymbol('furlong'), 'furlong')
    assert.deepEqual(convertibleTo('percent'), ['1', '%', '[ppm]', '[ppb]'])
    assert.deepEqual(convertibleTo('furlong'), [])
  })
})
