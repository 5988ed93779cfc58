import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Priority } from '#core/model/priority'
import { PRIORITY_AGE_LIMITS_MS, type PriorityHead, PriorityTurns } from '#core/policy/priority-turns'

/** Queues of entries by the time they were stored, and a clock; serves one entry per millisecond. */
class Rig {
  readonly turns = new PriorityTurns()
  readonly queues: PriorityHead[][] = [[], [], []]
  readonly waitsMs: number[][] = [[], [], []]
  nowMs = 1_000_000

  add(priority: Priority, count = 1, bytes = 1000, ageMs = 0): void {
    for (let i = 0; i < count; i++) this.queues[priority].push({ bytes, storedAtMs: this.nowMs - ageMs })
  }

  /** @returns the priorities of the next entries */
  serve(entries: number): Priority[] {
    const served: Priority[] = []
    for (let i = 0; i < entries; i++) {
      const priority = this.turns.next(
        this.queues.map(([head]) => head),
        this.nowMs,
      )
      if (priority === undefined) return served
      this.turns.taken(priority)
      this.waitsMs[priority].push(this.nowMs - this.queues[priority].shift()!.storedAtMs)
      served.push(priority)
      this.nowMs++
    }
    return served
  }
}

function sharesOf(served: readonly Priority[]): number[] {
  return [0, 1, 2].map((priority) => served.filter((one) => one === priority).length)
}

describe('the turns of priorities', () => {
  it('are 8 : 4 : 1 by bytes while all wait, also between entries of unequal size', () => {
    const rig = new Rig()
    for (const priority of [0, 1, 2] as const) rig.add(priority, 2000)
    assert.deepEqual(sharesOf(rig.serve(650)), [400, 200, 50])
    const uneven = new Rig()
    uneven.add(0, 2000, 4000 - 128)
    uneven.add(2, 2000, 500 - 128)
    assert.deepEqual(sharesOf(uneven.serve(900)), [450, 0, 450])
  })

  it('give nobody what was not used while nothing waited', () => {
    const rig = new Rig()
    rig.add(0, 1000)
    rig.serve(1000)
    rig.add(2, 500)
    rig.add(0, 500)
    assert.deepEqual(sharesOf(rig.serve(90)), [80, 0, 10])
    rig.serve(910)
    rig.add(2, 1000)
    rig.serve(1000)
    rig.add(2, 500)
    rig.add(0, 500)
    assert.deepEqual(sharesOf(rig.serve(90)), [80, 0, 10])
  })

  it('let high wait for an entry or two behind a low that never ends', () => {
    const rig = new Rig()
    rig.add(2, 20_000)
    for (let round = 0; round < 1000; round++) {
      rig.serve(9)
      rig.add(0)
      rig.serve(1)
    }
    assert.ok(Math.max(...rig.waitsMs[0]) <= 2, `${Math.max(...rig.waitsMs[0])} entries`)
    assert.equal(rig.waitsMs[0].length, 1000)
  })

  it('keep low moving behind a high that never ends', () => {
    const rig = new Rig()
    for (let round = 0; round < 1000; round++) {
      rig.add(0, 20)
      if (round % 2 === 0) rig.add(2)
      rig.serve(10)
    }
    assert.ok(rig.waitsMs[2].length >= 499, `${rig.waitsMs[2].length} of 500`)
    assert.ok(Math.max(...rig.waitsMs[2]) <= 40)
  })

  it('let a head older than its limit go next, every other time', () => {
    const rig = new Rig()
    rig.add(0, 100)
    rig.add(2, 100, 1000, PRIORITY_AGE_LIMITS_MS[2] + 1)
    assert.deepEqual(rig.serve(6), [2, 0, 2, 0, 2, 0])
    const young = new Rig()
    young.add(0, 100)
    young.add(2, 100, 1000, PRIORITY_AGE_LIMITS_MS[2] - 1000)
    assert.deepEqual(young.serve(6), [0, 0, 0, 0, 0, 0])
  })

  it('starve nobody whatever the clock says', () => {
    for (const offMs of [-1e12, 1e12]) {
      const rig = new Rig()
      for (const priority of [0, 1, 2] as const) rig.add(priority, 2000, 1000, offMs)
      for (const share of sharesOf(rig.serve(1300))) assert.ok(share >= 50, `${share} of 1300`)
    }
  })
})
