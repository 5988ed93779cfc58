import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createMetrics } from '#src/host/metrics'
import { clockMetrics } from '#src/hub/time/clock-metrics'
import type { ClockFigures } from '#src/hub/time/hub-clock'

async function expositionOf(figures: Partial<ClockFigures>): Promise<string> {
  const whole: ClockFigures = {
    synchronized: 'unknown',
    steps: 2,
    offsetSeconds: -0.125,
    isHolding: true,
    summary: '',
    ...figures,
  }
  return createMetrics(clockMetrics(() => whole)).metrics()
}

describe('the metrics of the clock', () => {
  it('do not say that a clock is off of which nobody knows', async () => {
    assert.match(await expositionOf({}), /^hub_clock_synchronized nan$/im)
    assert.match(await expositionOf({ synchronized: 'no' }), /^hub_clock_synchronized 0$/m)
    assert.match(await expositionOf({ synchronized: 'yes' }), /^hub_clock_synchronized 1$/m)
  })

  it('tell steps, the difference, and whether samples wait', async () => {
    const text = await expositionOf({})
    assert.match(text, /^hub_clock_steps_total 2$/m)
    assert.match(text, /^hub_clock_offset_seconds -0\.125$/m)
    assert.match(text, /^hub_clock_holding 1$/m)
  })
})
