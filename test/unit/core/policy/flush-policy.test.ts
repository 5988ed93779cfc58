import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FlushPolicy } from '#core/policy/flush-policy'

describe('the flush policy', () => {
  it('closes at once when enough samples wait', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    assert.equal(flush.look(9, 0), undefined)
    assert.equal(flush.look(10, 0), 'samples')
    assert.equal(flush.look(500, 0), 'samples')
  })

  it('closes when the first waiting sample is old enough, and says how long that takes', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    assert.equal(flush.look(1, 100), undefined)
    assert.equal(flush.look(3, 103), undefined)
    assert.equal(flush.waitMs(103), 2)
    assert.equal(flush.look(3, 105), 'age')
  })

  it('begins a new age when samples were taken, and when none were waiting', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    flush.look(1, 100)
    flush.taken()
    assert.equal(flush.waitMs(104), Number.POSITIVE_INFINITY)
    assert.equal(flush.look(1, 104), undefined)
    assert.equal(flush.look(0, 106), undefined)
    assert.equal(flush.look(1, 108), undefined)
    assert.equal(flush.waitMs(108), 5)
  })

  it('lets nothing wait when the age is 0', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 0 })
    assert.equal(flush.look(1, 7), 'age')
  })
})
