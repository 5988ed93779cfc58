import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { PRIORITY_NAMES } from '#core/model/priority'
import { classesPerRing, isSpilled, spillsAny } from '#src/hub/intake/ring-classes'
import { NO_SHEDDING, type SheddingStep } from '#src/hub/intake/shedding-ladder'

type Steps = [high: SheddingStep, normal: SheddingStep, low: SheddingStep]

function ladder(amber: Steps, red: Steps) {
  const steps = ([high, normal, low]: Steps) => ({ high, normal, low })
  return { amber: steps(amber), red: steps(red), keepOneIn: 10 }
}

describe('which classes share a ring', () => {
  it('are all of them while none is spilled, or all are', () => {
    for (const options of [
      NO_SHEDDING,
      ladder(['pass', 'thin', 'refuse'], ['pass', 'refuse', 'refuse']),
      ladder(['pass', 'pass', 'thin'], ['spill', 'spill', 'spill']),
    ]) {
      assert.deepEqual(classesPerRing(options), [PRIORITY_NAMES])
    }
  })

  it('are those that are spilled at the same levels', () => {
    const options = ladder(['pass', 'pass', 'spill'], ['pass', 'spill', 'spill'])
    assert.deepEqual(classesPerRing(options), [['high'], ['normal'], ['low']])
    assert.deepEqual(classesPerRing(ladder(['pass', 'pass', 'pass'], ['pass', 'spill', 'spill'])), [
      ['high'],
      ['normal', 'low'],
    ])
    assert.equal(isSpilled(options, 'green', ['low']), false)
    assert.deepEqual(
      [['high'], ['normal'], ['low']].map((classes) => isSpilled(options, 'amber', classes as never)),
      [false, false, true],
    )
    assert.deepEqual(
      [['high'], ['normal'], ['low']].map((classes) => isSpilled(options, 'red', classes as never)),
      [false, true, true],
    )
  })

  it('are those with one that is refused meanwhile, which does not keep the ring from being spilled', () => {
    const options = ladder(['pass', 'pass', 'pass'], ['spill', 'spill', 'refuse'])
    assert.deepEqual(classesPerRing(options), [PRIORITY_NAMES])
    assert.equal(isSpilled(options, 'red', PRIORITY_NAMES), true)
    // Both fit with the one that is refused, but not with each other.
    assert.deepEqual(classesPerRing(ladder(['pass', 'pass', 'pass'], ['refuse', 'spill', 'pass'])), [
      ['high', 'normal'],
      ['low'],
    ])
  })

  it('is not spilled for a class that is to pass, when the rings of an earlier run are emptied', () => {
    const options = ladder(['pass', 'pass', 'pass'], ['pass', 'spill', 'spill'])
    assert.equal(isSpilled(options, 'red', PRIORITY_NAMES), false)
    assert.deepEqual([spillsAny(options), spillsAny(NO_SHEDDING)], [true, false])
  })
})
