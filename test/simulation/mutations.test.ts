import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MUTATIONS } from './mutations.js'
import { runSchedule } from './schedule.js'
import { WORLD_SIZES } from './world-plan.js'

/** Schedules within which each broken rule must show. */
const ENOUGH = 500

describe('the simulation finds the protocol broken when', () => {
  for (const mutation of MUTATIONS) {
    it(mutation.name, async (test) => {
      for (let seed = 1; seed <= ENOUGH; seed++) {
        const size = WORLD_SIZES[seed % WORLD_SIZES.length]
        const { plan = {} } = mutation
        const { violations } = await runSchedule({ seed, size, mutation, plan })
        if (violations.length === 0) continue
        test.diagnostic(`seed ${seed}: ${violations[0].slice(0, 160)}`)
        const { violations: unbroken } = await runSchedule({ seed, size, plan })
        return assert.deepEqual(unbroken, [])
      }
      assert.fail(`Nothing was found within ${ENOUGH} schedules.`)
    })
  }
})
