import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FlushPolicy } from '#core/policy/flush-policy'

describe('the flush policy', () => {
  it('closes at once when enough samples wait', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    flush.taken(0)
    assert.equal(flush.look(9, 0), undefined)
    assert.equal(flush.look(10, 0), 'samples')
    assert.equal(flush.look(500, 0), 'samples')
  })

  it('lets the first sample after a pause go at once', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    assert.equal(flush.look(1, 100), 'age')
    flush.taken(100)
    assert.equal(flush.look(0, 101), undefined)
    assert.equal(flush.look(1, 105), 'age')
  })

  it('keeps batches that are not full apart, and says how long it waits for that', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    flush.taken(100)
    assert.equal(flush.look(1, 101), undefined)
    assert.equal(flush.look(3, 103), undefined)
    assert.equal(flush.waitMs(103), 2)
    assert.equal(flush.look(3, 105), 'age')
  })

  it('waits for nothing while nothing waits', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 5 })
    flush.look(1, 100)
    flush.taken(100)
    assert.equal(flush.waitMs(101), Number.POSITIVE_INFINITY)
    assert.equal(flush.look(0, 102), undefined)
    assert.equal(flush.waitMs(102), Number.POSITIVE_INFINITY)
  })

  it('lets nothing wait when the age is 0', () => {
    const flush = new FlushPolicy({ maxSamples: 10, maxAgeMs: 0 })
    assert.equal(flush.look(1, 7), 'age')
  })
})
