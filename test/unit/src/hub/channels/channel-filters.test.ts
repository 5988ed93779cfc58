import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { QUALITY, type Quality } from '#core/model/quality'
import { type ChannelFilter, ClampFilter, RateLimitFilter, SkipFirstFilter } from '#src/hub/channels/channel-filter'
import { Deadband } from '#src/hub/channels/deadband'
import { AverageFilter, MedianFilter } from '#src/hub/channels/window-filters'

const { good, range, uncalibrated } = QUALITY

/** One value a second. */
function run(filter: ChannelFilter, values: readonly (number | [value: number, quality: Quality])[]) {
  return values.map((entry, second) => {
    const [value, quality] = typeof entry === 'number' ? [entry, good] : entry
    return filter.apply(value, second * 1_000_000, quality)
  })
}

describe('filters', () => {
  it('take the median of the last values, from the first one on', () => {
    assert.deepEqual(run(new MedianFilter(3), [1, 9, 2, 3, 100, 4]), [1, 5, 2, 3, 3, 4])
    assert.deepEqual(run(new MedianFilter(3), [5, 5, 5, 1, 1]), [5, 5, 5, 5, 1])
  })

  it('take the mean of the last so long, by the time of the samples', () => {
    assert.deepEqual(run(new AverageFilter(2000), [1, 3, 5, 9]), [1, 2, 4, 7])
  })

  it('begin a new mean when the clock was set back', () => {
    const filter = new AverageFilter(10_000)
    assert.equal(filter.apply(1, 50_000_000, good), 1)
    assert.equal(filter.apply(9, 20_000_000, good), 9)
  })

  it('bound the values of a mean, whatever its time', () => {
    const filter = new AverageFilter(86_400_000)
    for (let at = 0; at < 4096; at++) filter.apply(0, at, good)
    for (let at = 4096; at < 8191; at++) filter.apply(1, at, good)
    assert.equal(filter.apply(1, 8191, good), 1)
  })

  it('let suspect values pass as they are, and never mix them in', () => {
    assert.deepEqual(run(new MedianFilter(3), [1, [1e9, range], 3, 2]), [1, 1e9, 2, 2])
    assert.deepEqual(run(new AverageFilter(60_000), [1, [1e9, range], 3]), [1, 1e9, 2])
    assert.deepEqual(run(new ClampFilter(0, 10), [-1, 11, [1e9, range]]), [0, 10, 1e9])
  })

  it('never mix values that lack their calibration with those that do not', () => {
    assert.deepEqual(
      run(new AverageFilter(60_000), [2, 4, [100, uncalibrated], [102, uncalibrated], 6]),
      [2, 3, 100, 101, 6],
    )
  })

  it('skip the first values of every opening', () => {
    const filter = new SkipFirstFilter(2)
    assert.deepEqual(run(filter, [1, [2, range], 3]), [undefined, undefined, 3])
    filter.reset()
    assert.deepEqual(run(filter, [4, 5, 6]), [undefined, undefined, 6])
  })

  it('let so many values a second out, and a change of quality at once', () => {
    const filter = new RateLimitFilter(0.5)
    assert.deepEqual(run(filter, [1, 2, 3, [4, range], [5, range], 6]), [1, undefined, 3, 4, undefined, 6])
    // The clock was set back: the channel is not silent until it has caught up.
    assert.equal(filter.apply(7, -60_000_000, good), 7)
  })
})

describe('a deadband', () => {
  it('holds back what differs too little from the last value that came out', () => {
    const deadband = new Deadband(0.5, 60_000)
    const lets = [20, 20.5, 20.25, 20.6, 20.2, 20.05].map((value, second) => deadband.lets(value, second * 1e6, good))
    assert.deepEqual(lets, [true, false, false, true, false, true])
  })

  it('lets a value out after a heartbeat, and when the quality changes', () => {
    const deadband = new Deadband(0.5, 60_000)
    const lets = [0, 59, 60, 119, 120].map((second) => deadband.lets(1, second * 1e6, good))
    assert.deepEqual(lets, [true, false, true, false, true])
    assert.equal(deadband.lets(1, 121e6, range), true)
    assert.equal(deadband.lets(1, 122e6, range), false)
    assert.equal(deadband.lets(1, 123e6, good), true)
  })

  it('is not silent when the clock was set back', () => {
    const deadband = new Deadband(0.5, 60_000)
    deadband.lets(1, 1e12, good)
    assert.equal(deadband.lets(1, 5e11, good), true)
  })
})
