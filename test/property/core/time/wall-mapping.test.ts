import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { WallMapping } from '#core/time/wall-mapping'
import { createWallMemory, WallReader, WallWriter } from '#core/time/wall-memory'

const WALL_US = Date.UTC(2026, 0) * 1000

/** One look, what the clocks did before it, and how many of the samples that wait are sealed after it. */
const look = fc.record({
  sinceMs: fc.integer({ min: 1, max: 3000 }),
  driftPpm: fc.integer({ min: -3000, max: 3000 }),
  grainUs: fc.integer({ min: 0, max: 999 }),
  event: fc.oneof(
    { weight: 20, arbitrary: fc.constant({ kind: 'none' as const, byMs: 0 }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('set' as const), byMs: fc.integer({ min: -1e7, max: 1e7 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('sleep' as const), byMs: fc.integer({ min: 0, max: 1e7 }) }),
    },
  ),
  /** Times of samples within the interval, as shares of it. */
  samples: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 4 }),
  sealed: fc.nat(6),
})

test('samples of a device keep their order in wall time but at counted steps', () => {
  fc.assert(
    fc.property(fc.array(look, { minLength: 1, maxLength: 120 }), (looks) => {
      let hubUs = 1_000_000
      let wallUs = WALL_US
      const mapping = new WallMapping(hubUs, wallUs, { stepUs: 250_000 })
      const memory = createWallMemory()
      const writer = new WallWriter(memory)
      const reader = new WallReader(memory)
      writer.write(mapping.knots)
      const waiting: number[] = []
      let last = { wallUs: 0, steps: 0 }
      const seal = (count: number) => {
        reader.load()
        for (const sampleUs of waiting.splice(0, count)) {
          const now = { wallUs: reader.toWall(sampleUs), steps: mapping.steps }
          assert.ok(Number.isInteger(now.wallUs))
          assert.equal(now.wallUs, mapping.toWall(sampleUs))
          assert.ok(now.wallUs >= last.wallUs || now.steps > last.steps, `${now.wallUs - last.wallUs} us, no step`)
          last = now
        }
      }
      for (const { sinceMs, driftPpm, grainUs, event, samples, sealed } of looks) {
        const beforeUs = hubUs
        hubUs += sinceMs * 1000
        wallUs += Math.round(sinceMs * (1000 + driftPpm / 1000)) + event.byMs * 1000
        waiting.push(...samples.map((share) => Math.round(beforeUs + share * (hubUs - beforeUs))).sort((a, b) => a - b))
        // Some are sealed before the look that hears of what happened, as in the hub.
        seal(sealed >> 1)
        const change = mapping.look(hubUs, wallUs - grainUs, event.kind === 'sleep' ? event.byMs * 1000 : 0)
        if (change.kind !== 'steady') writer.write(mapping.knots)
        if (event.kind === 'none' && Math.abs(driftPpm) < 100) assert.notEqual(change.kind, 'resumed')
        seal(sealed)
      }
      seal(waiting.length)
    }),
    { numRuns: 400 },
  )
})

test('the mapping arrives at the wall clock, however it was set', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -400_000, max: 400_000 }), { maxLength: 20 }), (sets) => {
      let offsetUs = WALL_US
      let hubUs = 0
      const mapping = new WallMapping(0, WALL_US, { stepUs: 250_000 })
      for (const byUs of sets) {
        hubUs += 1_000_000
        offsetUs += byUs
        mapping.look(hubUs, hubUs + offsetUs)
      }
      // Any difference within a step is made up for within 500 s.
      for (let second = 0; second < 1200; second++) {
        hubUs += 1_000_000
        mapping.look(hubUs, hubUs + offsetUs)
      }
      assert.ok(Math.abs(mapping.errorUs) <= 2000, `${mapping.errorUs} us`)
    }),
    { numRuns: 100 },
  )
})
