import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Bisection, type ItemRange } from '#core/policy/bisection'

/** Runs the search to its end with items that fail as `fails` says. */
function search(items: number, fails: (range: ItemRange) => boolean, maxBad = Number.POSITIVE_INFINITY): Bisection {
  const bisection = new Bisection({ from: 0, to: items }, maxBad)
  for (let range = bisection.next(); range !== undefined; range = bisection.next()) {
    if (fails(range)) bisection.failed()
    else bisection.passed()
  }
  return bisection
}

const holds = (bad: ReadonlySet<number>) => (range: ItemRange) =>
  [...bad].some((item) => item >= range.from && item < range.to)

test('one bad item is found in at most 2 log2(n) tries, wherever it is', () => {
  for (const items of [2, 3, 4, 5, 7, 8, 31, 100, 1000, 1023, 1024, 1025]) {
    for (let item = 0; item < items; item++) {
      const { bad, tries } = search(items, holds(new Set([item])))
      assert.deepEqual(bad, [item])
      assert.ok(tries <= 2 * Math.log2(items), `item ${item} of ${items}: ${tries} tries`)
    }
  }
})

test('each item is in one try that passed or is found bad, in order, whatever is bad', () => {
  const whole = fc.integer({ min: 2, max: 300 }).chain((items) =>
    fc.record({
      items: fc.constant(items),
      bad: fc.uniqueArray(fc.nat(items - 1), { minLength: 1, maxLength: 12 }),
    }),
  )
  fc.assert(
    fc.property(whole, ({ items, bad }) => {
      fc.pre(![0, 1, 2, 3].every((item) => bad.includes(item)))
      const { good, bad: found } = search(items, holds(new Set(bad)))
      assert.deepEqual(
        found,
        bad.toSorted((a, b) => a - b),
      )
      const passed = good.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))
      const expected = Array.from({ length: items }, (_, i) => i).filter((item) => !bad.includes(item))
      assert.deepEqual(passed, expected)
    }),
  )
})

test('items that fail only in company are all good in the end', () => {
  const { good, bad } = search(100, ({ from, to }) => from <= 3 && to > 90)
  assert.deepEqual(bad, [])
  assert.equal(
    good.reduce((sum, { from, to }) => sum + to - from, 0),
    100,
  )
})

test('a whole that is bad throughout is given up after a few tries', () => {
  const bisection = search(1000, () => true, 8)
  assert.ok(bisection.isGivenUp)
  assert.ok(bisection.tries < 20, `${bisection.tries} tries`)
})
