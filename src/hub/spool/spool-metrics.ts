import type { LatencyRecorder } from '#core/observe/latency-recorder'
import { latencyHistogram } from '../../host/latency-histogram.js'
import type { HistogramDefinition, MetricDefinition } from '../../host/metrics.js'
import type { SpoolFigures } from './spool-watch.js'

/** Seconds. */
const FSYNC_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** Names of gateways: one quantity each, in base units. */
export function spoolMetrics(
  figures: () => SpoolFigures,
  fsync: LatencyRecorder,
): readonly (MetricDefinition | HistogramDefinition)[] {
  const gauge = (name: string, help: string, value: (figures: SpoolFigures) => number): MetricDefinition => {
    return { name, help, kind: 'gauge', read: () => value(figures()) }
  }
  const counter = (name: string, help: string, value: (figures: SpoolFigures) => number): MetricDefinition => {
    return { name, help, kind: 'counter', read: () => value(figures()) }
  }
  return [
    gauge('hub_spool_size_bytes', 'Files of the spool.', ({ sizeBytes }) => sizeBytes),
    gauge('hub_spool_limit_bytes', 'Bound of the files.', ({ limitBytes }) => limitBytes),
    gauge('hub_spool_samples', 'Samples held: not delivered and not dropped.', ({ samples }) => samples),
    gauge('hub_spool_batches', 'Batches held.', ({ batches }) => batches),
    gauge('hub_spool_segments', 'Files of the spool.', ({ segments }) => segments),
    gauge(
      'hub_spool_oldest_timestamp_seconds',
      'Unix time at which the oldest batch held was spooled; 0 when the spool is empty.',
      ({ oldestAtSeconds }) => oldestAtSeconds ?? 0,
    ),
    gauge(
      'hub_spool_time_to_full_seconds',
      'How long the rest of the spool lasts at the rate of the last minute; +Inf while nothing is measured.',
      ({ timeToFullSeconds }) => timeToFullSeconds ?? Number.POSITIVE_INFINITY,
    ),
    gauge(
      'hub_spool_disk_free_bytes',
      'Free on the disk of the spool.',
      ({ diskFreeBytes }) => diskFreeBytes ?? Number.NaN,
    ),
    counter('hub_spool_appended_bytes_total', 'Bytes written to the spool.', ({ counts }) => counts.appendedBytes),
    counter('hub_spool_appended_samples_total', 'Samples written to the spool.', ({ counts }) => counts.appended),
    counter('hub_spool_recovered_samples_total', 'Samples that an earlier run left.', ({ counts }) => counts.recovered),
    counter('hub_spool_replayed_samples_total', 'Samples delivered from the spool.', ({ counts }) => counts.replayed),
    counter(
      'hub_spool_repaired_samples_total',
      'Samples that the store had lost and was given again.',
      ({ counts }) => counts.repaired,
    ),
    counter(
      'hub_pressure_spilled_samples_total',
      'Of the samples written to the spool: because processors were behind.',
      ({ counts }) => counts.heldBack,
    ),
    counter('hub_pressure_spilled_batches_total', 'Their batches.', ({ counts }) => counts.heldBackBatches),
    counter(
      'hub_pressure_spill_seconds_total',
      'How long drain workers held batches back, summed over them.',
      ({ counts }) => counts.heldBackMs / 1000,
    ),
    {
      name: 'hub_spool_dropped_samples_total',
      help: 'Samples given up out of the spool, by reason.',
      kind: 'counter',
      labels: ['reason'],
      read: () => {
        const { droppedSize, droppedAge, droppedCorrupt, droppedDiskFull } = figures().counts
        const values = { size: droppedSize, age: droppedAge, corrupt: droppedCorrupt, disk_full: droppedDiskFull }
        return Object.entries(values).map(([reason, value]) => ({ labels: { reason }, value }))
      },
    },
    counter(
      'hub_spool_corrupt_records_total',
      'Stretches of the spool that were cut off or damaged.',
      ({ counts }) => counts.corruptRecords,
    ),
    latencyHistogram(
      'hub_spool_fsync_duration_seconds',
      'How long flushes of the spool to the disk took.',
      FSYNC_BOUNDS,
      fsync,
    ),
  ]
}
