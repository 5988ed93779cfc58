import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY, QUALITY_NAMES } from '#core/model/quality'
import { graver } from '#src/hub/channels/suspect'
import { type ConfiguredChecks, type DeclaredChecks, ValueChecks } from '#src/hub/channels/value-checks'

const SECOND_US = 1_000_000

function checksOf(declared: DeclaredChecks, configured: ConfiguredChecks) {
  const reasons: string[] = []
  const checks = new ValueChecks(declared, configured, (reason) => reasons.push(reason))
  const judge = (value: number, atSeconds: number) => {
    const quality = checks.judge(value, value, atSeconds * SECOND_US)
    if (quality === QUALITY.good) checks.trusted(value, atSeconds * SECOND_US)
    return QUALITY_NAMES[quality]
  }
  return { judge, reasons, checks }
}

describe('checks of values', () => {
  it('know the values that stand for "not measured", half a step away at most', () => {
    const sentinels = [{ value: 85, quality: QUALITY.sentinel, meaning: 'power-on value' }]
    const { judge, reasons } = checksOf({ sentinels, resolution: 0.0625 }, {})
    assert.deepEqual([judge(85, 0), judge(85.0625, 1), judge(84.97, 2)], ['sentinel', 'good', 'sentinel'])
    assert.deepEqual(reasons, ['sentinel', 'sentinel'])
  })

  it('know what the sensor, and what the place, cannot have', () => {
    const { judge } = checksOf({ range: [-40, 85] }, { range: [-10, 40] })
    assert.deepEqual([judge(-40.1, 0), judge(-10, 1), judge(40, 2), judge(40.1, 3)], ['range', 'good', 'good', 'range'])
  })

  it('take a jump again as soon as so much change was possible', () => {
    const { judge, reasons } = checksOf({}, { maxRatePerSecond: 2 })
    assert.deepEqual(
      [judge(20, 0), judge(21, 1), judge(31, 2), judge(31, 5), judge(31, 6)],
      ['good', 'good', 'rate', 'rate', 'good'],
    )
    assert.deepEqual(reasons, ['rate', 'rate'])
  })

  it('do not count a rate over a clock that was set back', () => {
    const { judge } = checksOf({}, { maxRatePerSecond: 2 })
    assert.deepEqual([judge(20, 100), judge(50, 40)], ['good', 'good'])
  })

  it('call a value stuck that has been exactly the same for too long, until it moves', () => {
    const { judge, reasons } = checksOf({}, { stuckAfterMs: 10_000 })
    assert.deepEqual(
      [judge(1, 0), judge(1, 9), judge(1, 10), judge(1, 60), judge(1.001, 61)],
      ['good', 'good', 'stuck', 'stuck', 'good'],
    )
    assert.deepEqual(reasons, ['stuck', 'stuck'])
  })

  it('forget when the device was opened anew', () => {
    const { judge, checks } = checksOf({}, { maxRatePerSecond: 1, stuckAfterMs: 1000 })
    judge(5, 0)
    checks.reset()
    assert.deepEqual([judge(500, 1), judge(500, 1.5)], ['good', 'good'])
  })

  it('give the gravest of several', () => {
    assert.equal(graver(QUALITY.range, QUALITY.stuck), QUALITY.range)
    assert.equal(graver(QUALITY.uncalibrated, QUALITY.good), QUALITY.uncalibrated)
    assert.equal(graver(QUALITY.warming, QUALITY.sentinel), QUALITY.sentinel)
    for (const a of Object.values(QUALITY)) assert.equal(graver(a, QUALITY.good), a)
  })
})
