import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createCalibration } from '#src/hub/channels/calibration'

describe('a calibration', () => {
  it('is gain and offset', () => {
    assert.equal(createCalibration({ offset: -0.35 })(21.5), 21.15)
    assert.equal(createCalibration({ gain: 2, offset: 1 })(10), 21)
  })

  it('goes through every point, straight between them, and on beyond the ends', () => {
    const points = [
      [100, 99.1],
      [0, 0.2],
      [50, 50],
    ] as const
    const calibration = createCalibration({ points })
    for (const [measured, reference] of points) assert.equal(calibration(measured), reference)
    assert.ok(Math.abs(calibration(25) - 25.1) < 1e-12)
    assert.ok(Math.abs(calibration(75) - 74.55) < 1e-12)
    assert.ok(Math.abs(calibration(-10) - (0.2 - 9.96)) < 1e-12)
    assert.ok(Math.abs(calibration(110) - (99.1 + 9.82)) < 1e-12)
  })

  it('can be the straight line nearest to its points, also far from zero', () => {
    // Around 10 000: sums of squares would lose the digits that matter.
    const points = [-1, 0, 1].map((x) => [10_000 + x, 20_000 + 2 * x + (x === 0 ? 0.3 : 0)] as const)
    const calibration = createCalibration({ points, fit: 'least-squares' })
    assert.ok(Math.abs(calibration(10_000) - 20_000.1) < 1e-9)
    assert.ok(Math.abs(calibration(10_002) - 20_004.1) < 1e-9)
  })

  it('can be a polynomial, the constant first', () => {
    assert.equal(createCalibration({ polynomial: [1, 2, 3] })(2), 17)
  })
})
