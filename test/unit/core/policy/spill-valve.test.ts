import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { SpillValve } from '#core/policy/spill-valve'

const MIB = 2 ** 20

describe('the valve before the spool', () => {
  let nowMs: number
  let valve: SpillValve
  beforeEach(() => {
    nowMs = 0
    valve = new SpillValve(() => nowMs)
  })
  const look = (fill = 0.1, batches = 10, isUsable = true) => valve.look({ fill, batches, isUsable })

  it('holds while that is wanted, then eases until the spool is empty, and is off again', () => {
    assert.equal(look(), 'off')
    assert.equal(valve.allowance(), Number.POSITIVE_INFINITY)
    valve.want(true)
    assert.equal(look(0, 0), 'holding')
    assert.equal(valve.allowance(), 0)
    assert.equal(valve.waitMs, undefined)
    valve.want(false)
    assert.equal(look(), 'easing')
    valve.want(true)
    assert.equal(look(), 'holding')
    valve.want(false)
    assert.deepEqual([look(), look(0, 0), look()], ['easing', 'off', 'off'])
  })

  it('leaves half of the spool to a store that is away, and holds again when only a quarter is used', () => {
    valve.want(true)
    assert.deepEqual(
      [look(0.49), look(0.5), look(0.3), look(0.24), look(0.4)],
      ['holding', 'exhausted', 'exhausted', 'holding', 'holding'],
    )
  })

  it('holds nothing in a spool that cannot be written, until it is asked anew', () => {
    valve.want(true)
    look()
    assert.equal(look(0.1, 10, false), 'exhausted')
    assert.equal(look(0.1, 10, false), 'exhausted')
    valve.want(false)
    assert.equal(look(0.1, 10, false), 'easing')
    valve.want(true)
    assert.equal(look(0.1, 10, false), 'holding')
    assert.equal(look(0.1, 10, false), 'exhausted')
  })

  it('sends what was kept at 1 MiB/s and more, however long it paused before', () => {
    valve.want(true)
    look()
    nowMs = 60_000
    valve.want(false)
    look()
    assert.equal(valve.allowance(), 0)
    const waitMs = valve.waitMs!
    nowMs += waitMs
    assert.ok(valve.allowance() > 0, `nothing after ${waitMs} ms`)
    let sent = 0
    for (const startMs = nowMs; nowMs < startMs + 10_000; nowMs += 5) {
      const bytes = valve.allowance()
      valve.sent(bytes)
      sent += bytes
    }
    assert.ok(Math.abs(sent / (10 * MIB) - 1) < 0.01, `${sent} bytes in 10 s`)
    nowMs += 3_600_000
    assert.equal(valve.allowance(), 2 * MIB)
  })

  it('sends twice what comes, so that the spool empties whatever the rate', () => {
    valve.want(true)
    look()
    valve.want(false)
    look()
    valve.offered(MIB / 2)
    assert.equal(valve.allowance(), MIB)
    valve.sent(MIB + 100)
    assert.equal(valve.allowance(), 0)
    valve.offered(100)
    assert.equal(valve.allowance(), 0, 'a debt is paid first')
  })
})
