import type { HistogramDefinition, MetricDefinition } from '../../host/metrics.js'
import { RESULTS } from '../buses/bus-meter.js'
import type { Gateway } from '../gateway.js'
import { DURATION_BOUNDS, type ReadingFigures } from './reading-figures.js'

/** Prometheus metrics of devices on buses of the hub. */
export function readingMetrics(gateway: Gateway): (MetricDefinition | HistogramDefinition)[] {
  const devices = gateway.devices.flatMap((device) => {
    const { figures } = device
    return figures === undefined ? [] : [{ labels: { device: device.snapshot().name }, figures }]
  })
  const perDevice = (read: (figures: ReadingFigures) => number) => () =>
    devices.map(({ labels, figures }) => ({ labels, value: read(figures) }))
  const labels = ['device']
  return [
    {
      name: 'hub_device_reads_total',
      help: 'Readings of the device, or frames it sent, by result.',
      kind: 'counter',
      labels: ['device', 'result'],
      read: () =>
        devices.flatMap(({ labels: { device }, figures }) =>
          RESULTS.map((result) => ({ labels: { device, result }, value: figures.reads.get(result) })),
        ),
    },
    {
      name: 'hub_device_read_duration_seconds',
      help: 'Time from the first call of a reading to its last, conversion included.',
      kind: 'histogram',
      labels,
      bounds: DURATION_BOUNDS,
      read: () => devices.map(({ labels, figures: { duration } }) => ({ labels, ...duration.cumulative() })),
    },
    {
      name: 'hub_device_missed_deadlines_total',
      help: 'Due times at which nothing was read, as the reading before had not ended.',
      kind: 'counter',
      labels,
      read: perDevice(({ missed }) => missed),
    },
    {
      name: 'hub_device_last_success_timestamp_seconds',
      help: 'Unix time of the last good reading; 0: none yet.',
      kind: 'gauge',
      labels,
      read: perDevice(({ lastSuccessUs = 0 }) => lastSuccessUs / 1e6),
    },
    {
      name: 'hub_device_reinitializations_total',
      help: 'Times the device was set up again while it was measured.',
      kind: 'counter',
      labels,
      read: perDevice(({ reinitializations }) => reinitializations),
    },
    {
      name: 'hub_device_skipped_bytes_total',
      help: 'Bytes of a device that talks by itself that belong to no frame.',
      kind: 'counter',
      labels,
      read: perDevice(({ skippedBytes }) => skippedBytes),
    },
  ]
}
