import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Coverage } from './engine/coverage.js'
import { NETWORK_FAULTS } from './network/fault-plan.js'
import { runSchedule } from './schedule.js'
import { NEMESES, WORLD_SIZES } from './world-plan.js'

const SCHEDULES = 300
/** Calls that every kind of network fault has to meet within that. */
const CALLS = ['append', 'own', 'settle', 'xreadgroup', 'renew', 'hgetall']

function describeFailure({ seed, size, violations }: { seed: number; size: string; violations: readonly string[] }) {
  return `npm run simulate -- --seed ${seed} --schedules 1 --size ${size} --trace\n${violations.join('\n')}`
}

describe('the delivery protocol', () => {
  it('keeps its promises whatever is crashed, stopped, cut and delayed', async () => {
    const coverage = new Coverage()
    for (let seed = 1; seed <= SCHEDULES; seed++) {
      const result = await runSchedule({ seed, size: WORLD_SIZES[seed % WORLD_SIZES.length] })
      assert.deepEqual(result.violations, [], describeFailure(result))
      coverage.addAll(result.coverage)
    }
    for (const nemesis of NEMESES) assert.ok(coverage.count('nemesis', nemesis) > 0, `${nemesis} never happened`)
    for (const fault of NETWORK_FAULTS) {
      for (const call of CALLS) assert.ok(coverage.count(fault, call) > 0, `${fault} never met ${call}`)
    }
    assert.ok(coverage.count('batch', 'applied') > 10 * SCHEDULES)
    assert.ok(coverage.count('batch', 'dead') > 0)
  })
})

describe('what the simulation once found', () => {
  it('more owned shards than entries may be in flight: every shard has its turn', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const plan = { shards: 5, processors: 1, maxInFlight: 2, marks: [], nemeses: [] }
      const result = await runSchedule({ seed, size: 'large', plan })
      assert.deepEqual(result.violations, [], describeFailure(result))
    }
  })

  it('a store that went back in time, met first by the connection that reads: nothing of it is taken twice', async () => {
    for (const seed of [1010236, 1, 3, 5, 7, 9, 11]) {
      const plan = { nemeses: ['store goes back in time' as const], nemesisEveryMs: 100 }
      const result = await runSchedule({ seed, size: 'small', ...(seed < 1000 && { plan }) })
      assert.deepEqual(result.violations, [], describeFailure(result))
    }
  })

  it('a shard released after the store lost its entries: no delivery is remembered of what is gone', async () => {
    for (const seed of [20001, 20011, 20013, 20037]) {
      const result = await runSchedule({ seed, size: 'large' })
      assert.deepEqual(result.violations, [], describeFailure(result))
    }
  })

  it('an entry that kills its process beside the trials of other shards: no innocent is convicted', async () => {
    for (let seed = 1; seed <= 12; seed++) {
      const plan = {
        shards: 3,
        processors: 2,
        nemeses: [],
        markRate: 0.05,
        marks: ['kills its process always' as const],
      }
      const result = await runSchedule({ seed, size: 'large', plan })
      assert.deepEqual(result.violations, [], describeFailure(result))
    }
  })

  it('an entry that kills its run in the company of one that kills its process: both are convicted', async () => {
    const { violations, ...run } = await runSchedule({ seed: 57, size: 'large' })
    assert.deepEqual(violations, [], describeFailure({ ...run, violations }))
  })
})
