import type { LatencyRecorder } from '#core/observe/latency-recorder'
import type { HistogramDefinition } from './metrics.js'

/**
 * A recorder's latencies as a Prometheus histogram in seconds.
 *
 * @param bounds upper bounds in seconds, ascending
 */
export function latencyHistogram(
  name: string,
  help: string,
  bounds: readonly number[],
  latency: LatencyRecorder,
): HistogramDefinition {
  const boundsUs = bounds.map((seconds) => seconds * 1e6)
  return {
    name,
    help,
    kind: 'histogram',
    bounds,
    read: () => ({
      counts: latency.countsUpTo(boundsUs),
      count: latency.count,
      sum: (latency.meanUs * latency.count) / 1e6,
    }),
  }
}
