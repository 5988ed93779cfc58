import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DrainBench, Killed } from '#test/support/drain-bench'
import type { StoreMood } from '#test/support/memory-store'

const moods = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.constant<StoreMood>('well') },
    { weight: 3, arbitrary: fc.constantFrom<StoreMood>('away', 'reply lost', 'half', 'full', 'misconfigured') },
    { weight: 2, arbitrary: fc.constant<StoreMood>('forgetful') },
  ),
  { maxLength: 12 },
)
/** One worker's life: what is published before it, the step it dies at, what the store does, where that goes back to. */
const life = fc.record({
  publish: fc.nat(50),
  dieAt: fc.option(fc.nat(120), { nil: undefined, freq: 4 }),
  moods,
  goBack: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 2 }),
})
const options = fc.record({
  devices: fc.integer({ min: 1, max: 6 }),
  shards: fc.integer({ min: 1, max: 4 }),
  maxSamples: fc.integer({ min: 1, max: 20 }),
  maxBytes: fc.integer({ min: 512, max: 1500 }),
  maxInFlight: fc.integer({ min: 1, max: 5 }),
})

type Life = typeof life extends fc.Arbitrary<infer T> ? T : never

async function live(bench: DrainBench, { publish, dieAt, moods, goBack }: Life, withRollBacks: boolean): Promise<void> {
  bench.publish(publish)
  if (withRollBacks && goBack !== undefined) bench.store.goBackTo(Math.floor(goBack * bench.store.entries.length))
  const script = moods.filter((mood) => withRollBacks || mood !== 'forgetful')
  bench.store.mood = () => script.shift() ?? 'well'
  let left = dieAt
  await bench.runWorker((step) => {
    if (left !== undefined && left-- === 0) throw new Killed(step)
  })
}

for (const withRollBacks of [false, true]) {
  const what = withRollBacks ? 'what is counted as delivered is what is stored' : 'every sample is stored exactly once'
  test(`${what}, however workers die, stores fail${withRollBacks ? ' and go back in time' : ''}`, async () => {
    await fc.assert(
      fc.asyncProperty(options, fc.array(life, { minLength: 1, maxLength: 6 }), async (sizes, lives) => {
        const bench = new DrainBench(sizes)
        for (const one of lives) await live(bench, one, withRollBacks)
        bench.store.mood = () => 'well'
        await bench.runWorker()
        // One more sample of every device: a store that went back is noticed by what is sent next.
        bench.publish(sizes.devices)
        await bench.runWorker()
        const { samplesDelivered, samplesRolledBack } = bench.totals
        const stored = bench.stored()
        assert.equal(samplesDelivered, stored.flat().length)
        assert.equal(samplesDelivered + samplesRolledBack, bench.published)
        assert.equal(bench.producer.backlog, 0)
        if (!withRollBacks) assert.deepEqual(stored, bench.expected())
        for (const sequences of stored) {
          for (let n = 1; n < sequences.length; n++) assert.ok(sequences[n] > sequences[n - 1], 'in order, no repeats')
        }
      }),
      { numRuns: 300 },
    )
  })
}
