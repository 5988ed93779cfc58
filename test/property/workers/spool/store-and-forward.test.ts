import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Killed } from '#test/support/drain-bench'
import type { StoreMood } from '#test/support/memory-store'
import { SpoolBench } from '#test/support/spool-bench'

const moods = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<StoreMood>('well') },
    { weight: 4, arbitrary: fc.constantFrom<StoreMood>('away', 'reply lost', 'half', 'full', 'misconfigured') },
  ),
  { maxLength: 16 },
)
/** One worker's life, and what comes after it. */
const life = fc.record({
  publish: fc.nat(80),
  isPatient: fc.boolean(),
  dieAt: fc.option(fc.nat(150), { nil: undefined, freq: 3 }),
  moods,
  isHubKilled: fc.boolean(),
  holdAt: fc.uniqueArray(fc.nat(120), { maxLength: 4 }),
})
const options = fc.record({
  devices: fc.integer({ min: 1, max: 6 }),
  shards: fc.integer({ min: 1, max: 4 }),
  maxSamples: fc.integer({ min: 1, max: 12 }),
  maxInFlight: fc.integer({ min: 1, max: 4 }),
})

type Life = typeof life extends fc.Arbitrary<infer T> ? T : never

/** Where the store goes back to before a worker's life, as a part of what it has. */
const goBack = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined, freq: 3 })

async function live(bench: SpoolBench, { publish, isPatient, dieAt, moods, isHubKilled, holdAt }: Life): Promise<void> {
  bench.publish(publish)
  const script = [...moods]
  bench.store.mood = () => script.shift() ?? 'well'
  let left = dieAt
  const mayDie = () => {
    if (left !== undefined && left-- === 0) throw new Killed()
  }
  await bench.runWorker(isPatient, mayDie, holdAt)
  assertBalanced(bench)
  if (isHubKilled) bench.killHub()
}

function assertBalanced({ ledger }: SpoolBench): void {
  const { accepted, recovered, delivered, spooled, inFlight, dropped } = ledger
  assert.equal(accepted + recovered, delivered + spooled + inFlight + dropped, JSON.stringify(ledger))
}

test('every sample is stored once and in order, however the store fails, workers and hubs die, and the processors are pressed', async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(life, { minLength: 1, maxLength: 6 }), async (sizes, lives) => {
      const bench = new SpoolBench(sizes)
      try {
        for (const one of lives) await live(bench, one)
        bench.store.mood = () => 'well'
        assert.equal(await bench.runWorker(true), false)
        assertBalanced(bench)
        const { spooled, inFlight, dropped } = bench.ledger
        assert.deepEqual([spooled, inFlight, dropped, bench.counts.held], [0, 0, 0, 0])
        const stored = bench.stored()
        for (const sequences of stored) {
          for (let n = 1; n < sequences.length; n++) assert.ok(sequences[n] > sequences[n - 1], 'in order, none twice')
        }
        // What a killed hub had in its ring alone is gone; of it, some had reached the store unknown to the hub.
        const missing = bench.published - stored.flat().length
        assert.ok(missing <= bench.lostInRings, `${missing} are missing, ${bench.lostInRings} were in rings`)
        if (bench.lostInRings === 0) assert.deepEqual(stored, bench.expected())
      } finally {
        bench.close()
      }
    }),
    { numRuns: 100 },
  )
})

test('what is counted as delivered is what is stored, however far a store goes back and workers die', async () => {
  const lives = fc.array(fc.tuple(life, goBack), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(options, lives, fc.integer({ min: 0, max: 2000 }), async (sizes, script, keptBytes) => {
      const bench = new SpoolBench({ ...sizes, spool: { keep: { bytes: keptBytes, ageMs: 60_000 } } })
      try {
        for (const [one, back] of script) {
          if (back !== undefined) bench.store.goBackTo(Math.floor(back * bench.store.entries.length))
          await live(bench, { ...one, isHubKilled: false })
        }
        bench.store.mood = () => 'well'
        await bench.runWorker(true)
        // One more sample of every device: a store that went back is noticed by what is sent next.
        bench.publish(sizes.devices)
        await bench.runWorker(true)
        assertBalanced(bench)
        const stored = bench.stored()
        const { delivered, dropped, accepted } = bench.ledger
        assert.deepEqual([delivered, delivered + dropped], [stored.flat().length, accepted])
        for (const sequences of stored) {
          for (let n = 1; n < sequences.length; n++) assert.ok(sequences[n] > sequences[n - 1], 'in order, none twice')
        }
      } finally {
        bench.close()
      }
    }),
    { numRuns: 100 },
  )
})
