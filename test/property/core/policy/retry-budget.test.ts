import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RetryBudget } from '#core/policy/retry-budget'

const OPTIONS = { ratio: 0.1, floorPerSecond: 2, maxWaitMs: 600_000 }

/** Repeatable numbers in [0, 1). */
function randoms(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * An outage: `perSecond` first tries fail for `seconds`, and each failed entry is tried again up to three times.
 *
 * @returns retries by the second they came in, until the last
 */
function outage(perSecond: number, seconds: number, seed: number): number[] {
  let nowMs = 0
  const random = randoms(seed)
  const budget = new RetryBudget({ ...OPTIONS, nowMs: () => nowMs })
  const due: { atMs: number; attempts: number }[] = []
  const bySecond: number[] = []
  const plan = (attempts: number) => {
    const afterMs = random() * Math.min(300_000, 500 * 2 ** (attempts - 1))
    due.push({ atMs: nowMs + budget.plan(afterMs, random()), attempts })
  }
  for (; nowMs < seconds * 1000; nowMs += 1000 / perSecond) {
    budget.firstTry()
    plan(1)
    for (let i = due.length - 1; i >= 0; i--) {
      const { atMs, attempts } = due[i]
      if (atMs > nowMs) continue
      due.splice(i, 1)
      const second = Math.floor(atMs / 1000)
      bySecond[second] = (bySecond[second] ?? 0) + 1
      if (attempts < 3) plan(attempts + 1)
    }
  }
  return Array.from({ length: seconds }, (_, second) => bySecond[second] ?? 0)
}

describe('a retry budget', () => {
  it('lets retries be a tenth of the first tries and a small floor, in a row and not in a wave', () => {
    for (const perSecond of [1, 5, 20, 50]) {
      const seconds = 120
      const retries = outage(perSecond, seconds, perSecond)
      const total = retries.reduce((sum, count) => sum + count, 0)
      const allowed = (OPTIONS.ratio * perSecond + OPTIONS.floorPerSecond) * seconds
      assert.ok(total <= allowed * 1.05, `${total} retries of ${perSecond} a second, ${allowed} allowed`)
      if (perSecond < 5) continue
      const steady = retries.slice(10)
      const mean = steady.reduce((sum, count) => sum + count, 0) / steady.length
      const peak = Math.max(...steady)
      assert.ok(peak / mean <= 2, `peak ${peak} of mean ${mean} at ${perSecond} a second`)
    }
  })

  it('leaves a few failures to their own backoff', () => {
    let nowMs = 0
    const budget = new RetryBudget({ ...OPTIONS, nowMs: () => nowMs })
    for (let second = 0; second < 100; second++) {
      nowMs += 1000
      budget.firstTry()
      assert.equal(budget.plan(321, 0.5), 321)
    }
  })

  it('asks for no wait beyond the longest, and spreads what comes after', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(2 ** 31), (retries, seed) => {
        const random = randoms(seed)
        const budget = new RetryBudget({ ...OPTIONS, nowMs: () => 0 })
        for (let i = 0; i < retries; i++) {
          const waitMs = budget.plan(random() * 1000, random())
          assert.ok(waitMs >= 0 && waitMs <= OPTIONS.maxWaitMs)
        }
      }),
    )
  })
})
