import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '#src/host/metrics'

test('counters, gauges and histograms are exposed with the values that their snapshots have when asked', async () => {
  let count = 1
  const registry = createMetrics([
    { name: 'a_total', help: 'A.', kind: 'counter', read: () => count },
    { name: 'b', help: 'B.', kind: 'gauge', labels: ['x'], read: () => [{ labels: { x: String(count) }, value: 5 }] },
    {
      name: 'c_seconds',
      help: 'C.',
      kind: 'histogram',
      bounds: [0.1, 2],
      read: () => ({ counts: [count, 7], count: 9, sum: 4.5 }),
    },
  ])
  await registry.metrics()
  count = 2
  const text = await registry.metrics()
  assert.match(text, /^# TYPE a_total counter\na_total 2$/m)
  assert.match(text, /^# TYPE b gauge\nb\{x="2"\} 5$/m)
  assert.doesNotMatch(text, /x="1"/)
  const histogram = [
    '# TYPE c_seconds histogram',
    'c_seconds_bucket{le="0.1"} 2',
    'c_seconds_bucket{le="2"} 7',
    'c_seconds_bucket{le="+Inf"} 9',
    'c_seconds_sum 4.5',
    'c_seconds_count 9',
  ]
  assert.ok(text.includes(histogram.join('\n')), text)
})
