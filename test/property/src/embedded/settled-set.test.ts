import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isSettled, NOTHING_SETTLED, settleInto } from '#src/embedded/settled-set'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

test(`a settled set holds exactly what was settled, however it was joined (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 80 }),
      fc.array(fc.tuple(fc.nat(1000), fc.nat(1000)), { maxLength: 20 }),
      (unsorted, steps) => {
        const records = unsorted.toSorted((a, b) => a - b)
        const settled = new Set<number>()
        let set = NOTHING_SETTLED
        for (const [pick, reach] of steps) {
          // An owner knows the records up to some point, and settles some of those.
          const known = records.slice(0, 1 + (reach % records.length))
          const open = known.filter((seq) => !settled.has(seq))
          const added = open.filter((_, i) => (pick >> (i % 10)) & 1)
          const unsettled = open.filter((seq) => !added.includes(seq))
          set = settleInto(set, added, unsettled, known[known.length - 1])
          for (const seq of added) settled.add(seq)
          for (const seq of records) assert.equal(isSettled(set, seq), settled.has(seq), `record ${seq}`)
        }
        assert.ok(
          set.ranges.every(([first, last], i) => first <= last && first > (set.ranges[i - 1]?.[1] ?? set.floorSeq)),
        )
      },
    ),
    { seed, numRuns: 2000 },
  )
})

test(`settling everything in any order leaves one stretch (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 50 }), (order) => {
      const known = Math.max(...order)
      let set = NOTHING_SETTLED
      for (const [i, seq] of order.entries()) {
        const unsettled = order.slice(i + 1).sort((a, b) => a - b)
        set = settleInto(set, [seq], unsettled, known)
      }
      assert.deepEqual(set, { floorSeq: known, ranges: [] })
    }),
    { seed },
  )
})
