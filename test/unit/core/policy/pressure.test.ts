import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PressureGauge, type PressureLevel, SlowFall } from '#core/policy/pressure'

const LIMITS = { maxBytes: 1000, maxHeadAgeMs: 10_000 }

describe('the pressure gauge', () => {
  it('follows whichever is worse, bytes or the age of the oldest batch', () => {
    const gauge = new PressureGauge(LIMITS)
    assert.equal(gauge.level, 'green')
    assert.equal(gauge.update({ bytes: 599, headAgeMs: 0 }), 'green')
    assert.equal(gauge.update({ bytes: 600, headAgeMs: 0 }), 'amber')
    assert.equal(gauge.update({ bytes: 0, headAgeMs: 10_000 }), 'red')
    assert.equal(gauge.update({ bytes: 0, headAgeMs: 0 }), 'green')
    assert.equal(gauge.update({ bytes: 0, headAgeMs: 6000 }), 'amber')
  })

  it('leaves a level later than it came to it, so that it does not flutter', () => {
    const gauge = new PressureGauge(LIMITS)
    const levels = [999, 1000, 700, 699, 400, 399, 599, 600].map((bytes) => gauge.update({ bytes, headAgeMs: 0 }))
    assert.deepEqual(levels, ['amber', 'red', 'red', 'amber', 'amber', 'green', 'green', 'amber'])
  })
})

describe('the slow fall of a level', () => {
  it('follows up at once, and down only after the level was lower for a while without a break', () => {
    let nowMs = 0
    const fall = new SlowFall(3000, () => nowMs)
    const told: [PressureLevel, PressureLevel][] = [
      ['amber', 'amber'],
      ['red', 'red'],
      ['green', 'red'],
      ['green', 'red'],
      ['red', 'red'],
      ['amber', 'red'],
      ['green', 'red'],
      ['amber', 'amber'],
      ['amber', 'amber'],
      ['green', 'amber'],
      ['green', 'amber'],
      ['green', 'green'],
      ['red', 'red'],
    ]
    for (const [level, expected] of told) {
      nowMs += 1000
      assert.equal(fall.update(level), expected, `${level} at ${nowMs}`)
    }
  })
})
