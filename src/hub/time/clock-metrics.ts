import type { MetricDefinition } from '../../host/metrics.js'
import type { ClockFigures } from './hub-clock.js'

export function clockMetrics(figures: () => ClockFigures): MetricDefinition[] {
  return [
    {
      name: 'hub_clock_synchronized',
      help: '1 when the host clock follows a time server, 0 when not; NaN when nobody on the host can say.',
      kind: 'gauge',
      read: () => {
        const { synchronized } = figures()
        return synchronized === 'unknown' ? Number.NaN : Number(synchronized === 'yes')
      },
    },
    {
      name: 'hub_clock_steps_total',
      help: 'Times that stamps leapt, or may have gone backwards, as the wall clock was set.',
      kind: 'counter',
      read: () => figures().steps,
    },
    {
      name: 'hub_clock_offset_seconds',
      help: 'What the wall clock is ahead of the stamps, which follow it slowly.',
      kind: 'gauge',
      read: () => figures().offsetSeconds,
    },
    {
      name: 'hub_clock_holding',
      help: '1 while samples wait in the rings for the clock to be synchronised.',
      kind: 'gauge',
      read: () => Number(figures().isHolding),
    },
  ]
}
