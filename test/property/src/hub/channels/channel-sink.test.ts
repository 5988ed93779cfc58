import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { QUALITY, type Quality } from '#core/model/quality'
import type { ChannelSettings, FilterSettings } from '#src/hub/channels/channel-settings'
import { ChannelSink } from '#src/hub/channels/channel-sink'
import { isSuspect } from '#src/hub/channels/suspect'
import { RecordingSink } from '#test/support/recording-sink'

const filter: fc.Arbitrary<FilterSettings> = fc.oneof(
  fc.record({ offset: fc.integer({ min: -5, max: 5 }) }),
  fc.record({ median: fc.constantFrom(1, 3, 5) }),
  fc.record({ average: fc.integer({ min: 1, max: 5000 }) }),
  fc.record({ clamp: fc.constant([-20, 20] as const) }),
  fc.record({ skip_first: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ rate_limit: fc.constantFrom(0.5, 1, 10) }),
)
const settings: fc.Arbitrary<ChannelSettings> = fc.record(
  {
    range: fc.constant([-30, 30] as const),
    maxRatePerSecond: fc.constantFrom(5, 50),
    stuckAfterMs: fc.constantFrom(1000, 3000),
    filters: fc.array(filter, { maxLength: 4 }),
    deadband: fc.constantFrom(0, 1, 5),
    heartbeatMs: fc.constantFrom(2000, 10_000),
    enabled: fc.boolean(),
  },
  { requiredKeys: [] },
)
const value = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -40, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY) },
)
const reading = fc.record({
  values: fc.tuple(value, value),
  quality: fc.constantFrom<Quality>(QUALITY.good, QUALITY.good, QUALITY.good, QUALITY.warming, QUALITY.uncalibrated),
  stepMs: fc.integer({ min: 0, max: 2000 }),
  refusals: fc.nat(2),
})
const both = fc.tuple(settings, settings)
const readings = fc.array(reading, { maxLength: 60 })
type Reading = typeof readings extends fc.Arbitrary<(infer T)[]> ? T : never

/** A ring that refuses the next readings as often as it is told. */
class FussySink extends RecordingSink {
  refuse = 0

  override reading(...args: Parameters<RecordingSink['reading']>): boolean {
    if (this.refuse === 0) return super.reading(...args)
    this.refuse--
    return false
  }
}

function play([a, b]: readonly [ChannelSettings, ChannelSettings], given: readonly Reading[], isFussy: boolean) {
  const inner = new FussySink()
  const clock = { ms: 0, nowUs: () => clock.ms * 1000, monotonicMs: () => clock.ms }
  const map = new Map([
    ['a', a],
    ['b', b],
  ])
  const ways = { sensorSerial: undefined, staleAfterMs: undefined, clock }
  const sink = new ChannelSink({ device: 'd', inner, settings: map, declared: [], ...ways })
  const ids = ['a', 'b'].map((name) => sink.series(name, '')!)
  for (const { values, quality, stepMs, refusals } of given) {
    clock.ms += stepMs
    if (isFussy) inner.refuse = refusals
    while (!sink.reading(clock.nowUs(), ids, values, quality));
  }
  return { inner, figures: sink.figures() }
}

test('every value comes out, or is counted by the reason why not', () => {
  fc.assert(
    fc.property(both, readings, (channels, given) => {
      const { inner, figures } = play(channels, given, false)
      const out = inner.readings.reduce((sum, { values }) => sum + Object.keys(values).length, 0)
      const suppressed = figures.flatMap((one) => Object.values(one.suppressed)).reduce((sum, count) => sum + count, 0)
      const rejected = [...inner.rejects.values()].reduce((sum, count) => sum + count, 0)
      assert.equal(out + suppressed + rejected, 2 * given.length)
    }),
    { numRuns: 300 },
  )
})

test('a ring that is full now and then changes nothing of what comes out', () => {
  fc.assert(
    fc.property(both, readings, (channels, given) => {
      const calm = play(channels, given, false)
      const fussy = play(channels, given, true)
      assert.deepEqual(fussy.inner.readings, calm.inner.readings)
      assert.deepEqual(fussy.inner.rejects, calm.inner.rejects)
      assert.deepEqual(
        fussy.figures.map(({ suppressed, suspect }) => ({ ...suppressed, ...suspect })),
        calm.figures.map(({ suppressed, suspect }) => ({ ...suppressed, ...suspect })),
      )
    }),
    { numRuns: 300 },
  )
})

test('good values come out the same whatever the suspect ones between them are', () => {
  const window = fc.constantFrom<FilterSettings>({ median: 3 }, { median: 5 }, { average: 3000 })
  fc.assert(
    fc.property(window, readings, fc.integer({ min: 100, max: 1e6 }), (one, given, far) => {
      const channel = { filters: [one] }
      const finite = given.map((entry) => ({ ...entry, values: [entry.values[0] || 0, 0] as [number, number] }))
      const other = finite.map((entry) =>
        isSuspect(entry.quality) ? { ...entry, values: [entry.values[0] + far, 0] as [number, number] } : entry,
      )
      const good = (all: readonly Reading[]) =>
        play([channel, {}], all, false).inner.readings.filter(({ quality }) => !isSuspect(quality))
      assert.deepEqual(good(other), good(finite))
    }),
    { numRuns: 300 },
  )
})
