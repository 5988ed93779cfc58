import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type BatchSample, batchOf } from '#test/support/batches'
import { ALL_ANALYSES, ShardOwner, specOf } from '#test/support/shard-owner'

/** Sensitive settings, so that a short history has findings of every kind. */
const OPTIONS: Record<string, Record<string, unknown>> = {
  'telemetry.anomaly_detect': { threshold: 2, repeat_samples: 5, burst: 2 },
  'telemetry.aggregate': { sizes_ms: ['1s', '7s'], out_of_orderness_ms: '500ms', allowed_lateness_ms: '3s' },
  'telemetry.alert': {
    rules: [
      { name: 'high', channel: 'temperature', above: 21, reset: 20, for_ms: '2s', keep_firing_ms: '1s' },
      { name: 'flutter', channel: 'temperature', above: 20 },
      { name: 'low', channel: 'humidity', below: 19.5, for_ms: '300ms' },
    ],
  },
}
const SPECS = ALL_ANALYSES.map((type) => specOf(type, OPTIONS[type]))

const SERIES = [
  { device: 'roof', channel: 'temperature' },
  { device: 'roof', channel: 'humidity' },
  { device: 'a/b', channel: 'temperature' },
] as const

/** A value once in `times`, else undefined. */
function rarely<T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: times - 1, arbitrary: fc.constant(undefined) }, arbitrary)
}

/**
 * A history of some 900 samples, 300 a series, three times what the detector needs to warm up: a walk with noise, outliers,
 * disorder, gaps, strays, a clock that is set, and bad qualities.
 */
const history = fc
  .array(
    fc.record({
      series: fc.nat(SERIES.length - 1),
      step: fc.double({ min: -1, max: 1, noNaN: true }),
      odd: rarely(20, fc.constantFrom(0, -8, 15, 1e6, -1e9)),
      stepMs: fc.oneof({ weight: 20, arbitrary: fc.nat(120) }, fc.constantFrom(-2500, -400, 9000, 0)),
      stray: rarely(40, fc.constantFrom(4e15, -1e15)),
      quality: fc.oneof(
        { weight: 15, arbitrary: fc.constant('good') },
        fc.constantFrom('rate', 'uncalibrated', 'stuck', 'sentinel', 'range'),
      ),
    }),
    { minLength: 800, maxLength: 1000, size: 'max' },
  )
  .chain((steps) => fc.record({ steps: fc.constant(steps), clockSetAt: fc.nat(steps.length) }))
  .map(({ steps, clockSetAt }): BatchSample[] => {
    const level = SERIES.map(() => 20)
    let atMs = 1.7e12
    return steps.map(({ series, step, odd, stepMs, stray, quality }, index) => {
      level[series] += step * 0.3 + (20 - level[series]) * 0.05
      atMs += stepMs
      if (index === clockSetAt) atMs += 3e9
      return {
        ...SERIES[series],
        value: odd ?? level[series],
        takenAtUs: stray ?? atMs * 1000,
        sequence: index,
        quality: quality as NonNullable<BatchSample['quality']>,
      }
    })
  })

/** How a history reaches the handlers: batch sizes, batches per run, checkpoints, and what is lost on the way. */
const delivery = fc.array(
  fc.record({
    batches: fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 0, maxLength: 4 }),
    checkpoint: fc.boolean(),
    lose: fc.constantFrom(undefined, undefined, undefined, 'rows' as const, 'all' as const),
    crashAfter: fc.boolean(),
  }),
  { minLength: 5, maxLength: 40 },
)

interface Outcome {
  sink: string
  rows: ReadonlyMap<string, Uint8Array>
}

function deliverCleanly(samples: readonly BatchSample[]): Outcome {
  const owner = new ShardOwner(SPECS)
  owner.run([batchOf(samples)], true)
  return { sink: owner.sinkContent(), rows: owner.rows }
}

function deliver(
  samples: readonly BatchSample[],
  steps: typeof delivery extends fc.Arbitrary<infer T> ? T : never,
): Outcome {
  const owner = new ShardOwner(SPECS)
  let position = 0
  let saved = 0
  for (const { batches, checkpoint, lose, crashAfter } of steps) {
    const cut = batches.map((size) => {
      position += size
      return batchOf(samples.slice(position - size, position))
    })
    owner.run(cut, checkpoint, lose === undefined ? {} : { lose })
    if (lose === undefined && checkpoint) saved = position
    if (crashAfter) owner.crash()
    if (lose !== undefined || crashAfter) position = saved
  }
  owner.run([batchOf(samples.slice(position))], true)
  return { sink: owner.sinkContent(), rows: owner.rows }
}

test('the sink and the saved state are the same to the byte, however samples are cut, redelivered and interrupted', () => {
  const kinds = new Map<string, number>()
  fc.assert(
    fc.property(history, delivery, (samples, steps) => {
      const clean = deliverCleanly(samples)
      const troubled = deliver(samples, steps)
      assert.deepEqual(JSON.parse(troubled.sink), JSON.parse(clean.sink))
      assert.equal(troubled.sink, clean.sink)
      assert.deepEqual(new Map([...troubled.rows].sort()), new Map([...clean.rows].sort()))
      for (const { key } of JSON.parse(clean.sink) as { key: string }[]) {
        const [kind] = key.split('/')
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      }
    }),
    { numRuns: 80 },
  )
  // The histories are eventful enough to mean something.
  for (const kind of ['aggregate', 'alert', 'analyze', 'anomaly']) assert.ok((kinds.get(kind) ?? 0) > 200, kind)
})

test('series do not disturb each other: alone each gives what it gives among others', () => {
  fc.assert(
    fc.property(history, (samples) => {
      const together = new ShardOwner(SPECS)
      together.run([batchOf(samples)], true)
      for (const { device, channel } of SERIES) {
        const own = samples.filter((sample) => sample.device === device && sample.channel === channel)
        const alone = new ShardOwner(SPECS)
        alone.run([batchOf(own)], true)
        for (const [key, finding] of alone.sink) assert.deepEqual(together.sink.get(key)?.body, finding.body)
        for (const [key, row] of alone.rows) assert.deepEqual(together.rows.get(key), row)
      }
    }),
    { numRuns: 30 },
  )
})

test('windows are the same in any order of arrival that the out-of-orderness allows', () => {
  const shuffled = fc.array(fc.record({ atMs: fc.nat(60_000), delayMs: fc.nat(2000) }), {
    minLength: 5,
    maxLength: 200,
  })
  fc.assert(
    fc.property(shuffled, (events) => {
      const unique = [...new Map(events.map((event) => [event.atMs, event])).values()]
      const arrivals = unique.toSorted((a, b) => a.atMs + a.delayMs - b.atMs - b.delayMs)
      const finals = [arrivals, arrivals.toSorted((a, b) => a.atMs - b.atMs)].map((order) => {
        const options = { sizes_ms: ['5s'], out_of_orderness_ms: '2s', allowed_lateness_ms: 0 }
        const owner = new ShardOwner([specOf('telemetry.aggregate', options)])
        const samples = order.map(({ atMs }) => ({ value: Math.sin(atMs), takenAtUs: atMs * 1000 }))
        const { results } = owner.run([batchOf([...samples, { value: 0, takenAtUs: 100e6 }])])
        assert.deepEqual(results[0].rejected, {})
        return new Map([...owner.sink.values()].map(({ key, body }) => [key, body as Record<string, number>]))
      })
      assert.deepEqual([...finals[0].keys()].sort(), [...finals[1].keys()].sort())
      for (const [key, { mean, standardDeviation, ...exact }] of finals[0]) {
        const { mean: sortedMean, standardDeviation: sortedDeviation, ...sortedExact } = finals[1].get(key)!
        assert.deepEqual(exact, sortedExact)
        assert.ok(Math.abs(mean - sortedMean) < 1e-12 && Math.abs(standardDeviation - sortedDeviation) < 1e-12)
      }
    }),
    { numRuns: 200 },
  )
})
