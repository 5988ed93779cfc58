import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CircuitBreaker } from '#core/policy/circuit-breaker'

function breakerWith(failuresToOpen: number) {
  const clock = { ms: 0 }
  const backoff = { baseMs: 100, maxMs: 1000 }
  const breaker = new CircuitBreaker({ failuresToOpen, backoff, nowMs: () => clock.ms, random: () => 0.999_999 })
  return { clock, breaker }
}

describe('the circuit breaker', () => {
  it('stays closed for fewer failures than it takes to open, with a wait after each', () => {
    const { clock, breaker } = breakerWith(3)
    breaker.failed()
    assert.equal(breaker.state, 'closed')
    assert.equal(breaker.waitMs, 100)
    assert.equal(breaker.mayTry(), false)
    clock.ms = 100
    assert.equal(breaker.mayTry(), true)
    breaker.failed()
    assert.equal(breaker.state, 'closed')
    assert.equal(breaker.waitMs, 200)
  })

  it('opens, waits longer and longer, and lets one try decide', () => {
    const { clock, breaker } = breakerWith(2)
    breaker.failed()
    breaker.failed()
    assert.equal(breaker.state, 'open')
    assert.equal(breaker.openings, 1)
    clock.ms = 199
    assert.equal(breaker.mayTry(), false)
    assert.equal(breaker.state, 'open')
    clock.ms = 200
    assert.equal(breaker.mayTry(), true)
    assert.equal(breaker.state, 'half-open')
    breaker.failed()
    assert.equal(breaker.state, 'open')
    assert.equal(breaker.waitMs, 400)
    assert.equal(breaker.openings, 1, 'a failed try is no new opening')
  })

  it('closes with the first success, and forgets the failures', () => {
    const { clock, breaker } = breakerWith(1)
    breaker.failed()
    clock.ms = 100
    breaker.mayTry()
    breaker.succeeded()
    assert.deepEqual([breaker.state, breaker.failures, breaker.waitMs], ['closed', 0, 0])
    breaker.failed()
    assert.equal(breaker.waitMs, 100)
    assert.equal(breaker.openings, 2)
  })

  it('never waits longer than the bound of its backoff', () => {
    const { breaker } = breakerWith(1)
    for (let failure = 0; failure < 100; failure++) breaker.failed()
    assert.equal(breaker.waitMs, 1000)
  })
})
