/** The hub's Prometheus metrics; label sets are bounded by the configuration, or by small fixed sets. */
import type { LatencyRecorder } from '#core/observe/latency-recorder'
import { BREAKER_STATES } from '#core/policy/circuit-breaker'
import { CLOSE_REASONS } from '#core/policy/flush-policy'
import { PRESSURE_LEVELS } from '#core/policy/pressure'
import { SPILL_STATES } from '#core/policy/spill-valve'
import { SLOT_BYTES } from '#core/ring/layout'
import { latencyHistogram } from '../host/latency-histogram.js'
import { createMetrics, type HistogramDefinition, type MetricDefinition } from '../host/metrics.js'
import { packageVersion } from '../host/program-options.js'
import { busMetrics } from './buses/bus-metrics.js'
import type { BusRegistry } from './buses/bus-registry.js'
import type { ChannelFigures } from './channels/channel-counts.js'
import { channelMetrics } from './channels/channel-metrics.js'
import { DEVICE_STATES } from './devices/device-state.js'
import { readingMetrics } from './devices/reading-metrics.js'
import type { DrainSupervisor } from './drain/drain-supervisor.js'
import type { Gateway } from './gateway.js'
import { type HubFigures, imbalanceOf } from './hub-figures.js'
import type { SeriesRegistry } from './intake/series-registry.js'
import { spoolMetrics } from './spool/spool-metrics.js'
import { clockMetrics } from './time/clock-metrics.js'

export interface HubMetricsContext {
  figures(): HubFigures
  gateway: Gateway
  buses: BusRegistry
  /** Of the channels that have a pipeline. */
  channels(): readonly ChannelFigures[]
  supervisor: DrainSupervisor
  registry: SeriesRegistry
  latency: LatencyRecorder
  /** How long flushes of the spool to the disk took. */
  fsync: LatencyRecorder
  /** `redis`, `redis-list` or `embedded`. */
  sink: string
  /** Wall time of the start, seconds. */
  startedAtSeconds: number
}

type Definitions = readonly (MetricDefinition | HistogramDefinition)[]

/** Seconds. */
const LATENCY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600]

export interface HubMetrics {
  readonly contentType: string
  /** The metrics in Prometheus' text format, all of the same moment. */
  render(): Promise<string>
}

export function createHubMetrics(context: HubMetricsContext): HubMetrics {
  let figures = context.figures()
  const snapshot = { ...context, figures: () => figures }
  const { fsync } = context
  const registry = createMetrics([
    ...programMetrics(snapshot),
    ...ledgerMetrics(snapshot),
    ...deviceMetrics(snapshot),
    ...readingMetrics(context.gateway),
    ...busMetrics(context.buses),
    ...channelMetrics(() => context.channels()),
    ...clockMetrics(() => figures.clock),
    ...ringMetrics(snapshot),
    ...batchMetrics(snapshot),
    ...sinkMetrics(snapshot),
    ...pressureMetrics(snapshot),
    ...(figures.spool === undefined ? [] : spoolMetrics(() => figures.spool!, fsync)),
  ])
  return {
    contentType: registry.contentType,
    render: () => {
      figures = context.figures()
      return registry.metrics()
    },
  }
}

function programMetrics({ startedAtSeconds, figures }: HubMetricsContext): Definitions {
  const info = { labels: { version: packageVersion(), node: process.version }, value: 1 }
  return [
    {
      ...gauge('hub_build_info', 'Version of the hub and of Node.js.'),
      labels: ['version', 'node'],
      read: () => [info],
    },
    { ...gauge('hub_start_time_seconds', 'Unix time of the start.'), read: () => startedAtSeconds },
    { ...gauge('hub_healthy', '1 when /health says ok.'), read: () => Number(figures().problem === undefined) },
  ]
}

function ledgerMetrics({ figures, latency }: HubMetricsContext): Definitions {
  return [
    {
      ...counter('hub_samples_accepted_total', 'Samples taken from devices, whether or not the ring had room.'),
      read: () => figures().ledger.accepted,
    },
    {
      ...counter('hub_samples_delivered_total', 'Samples that the store has confirmed and not lost since.'),
      read: () => figures().ledger.delivered,
    },
    {
      ...counter('hub_samples_dropped_total', 'Accepted samples that are not stored, by reason.'),
      labels: ['reason'],
      read: () => Object.entries(figures().ledger.droppedBy).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      ...gauge('hub_samples_in_flight', 'Samples in the rings: waiting, or sent and not confirmed.'),
      read: () => figures().ledger.inFlight,
    },
    {
      ...gauge(
        'hub_ledger_imbalance_samples',
        'Accepted + recovered - delivered - spooled - in flight - dropped: 0 unless the hub is wrong.',
      ),
      read: () => imbalanceOf(figures().ledger),
    },
    latencyHistogram(
      'hub_sample_delivery_latency_seconds',
      'Time from the reading of a sample to its confirmation by the store.',
      LATENCY_BOUNDS,
      latency,
    ),
  ]
}

function deviceMetrics({ gateway, figures, registry }: HubMetricsContext): Definitions {
  const snapshots = () => gateway.devices.map((device) => device.snapshot())
  return [
    {
      ...gauge('hub_device_up', '1 while the device measures and its last reading succeeded.'),
      labels: ['device'],
      read: () =>
        gateway.devices.map((device) => {
          const { figures } = device
          const hasRead = figures === undefined || (figures.fault === undefined && figures.lastSuccessUs !== undefined)
          const isUp = device.state === 'Measuring' && hasRead
          return { labels: { device: device.snapshot().name }, value: Number(isUp) }
        }),
    },
    {
      ...gauge('hub_device_state', '1 for the state the device is in.'),
      labels: ['device', 'state'],
      read: () =>
        snapshots().flatMap(({ name, state }) =>
          DEVICE_STATES.map((known) => ({ labels: { device: name, state: known }, value: Number(known === state) })),
        ),
    },
    {
      ...counter('hub_device_failures_total', 'Times the bus was lost or could not be taken.'),
      labels: ['device'],
      read: () => snapshots().map(({ name, failures }) => ({ labels: { device: name }, value: failures })),
    },
    {
      ...counter('hub_device_reconnects_total', 'Times the bus was taken again after a loss.'),
      labels: ['device'],
      read: () => snapshots().map(({ name, recoveries }) => ({ labels: { device: name }, value: recoveries })),
    },
    {
      ...counter('hub_device_rejects_total', 'Input that gave no sample, by reason.'),
      labels: ['device', 'reason'],
      read: () => figures().rejected.map(({ device, reason, count }) => ({ labels: { device, reason }, value: count })),
    },
    { ...gauge('hub_series', 'Series known: device times channel.'), read: () => registry.size },
  ]
}

function ringMetrics({ supervisor }: HubMetricsContext): Definitions {
  const perRing = (read: (ring: DrainSupervisor['rings'][number]) => number) => () =>
    supervisor.rings.map((ring) => ({ labels: { ring: String(ring.index) }, value: read(ring) }))
  const labels = ['ring']
  return [
    {
      ...gauge('hub_ring_capacity_bytes', 'Size of the ring.'),
      labels,
      read: perRing(({ lane }) => lane.ring.capacity * SLOT_BYTES),
    },
    {
      ...gauge('hub_ring_used_bytes', 'Published and not yet released.'),
      labels,
      read: perRing(({ lane }) => lane.ring.backlog * SLOT_BYTES),
    },
    { ...gauge('hub_worker_up', '1 while the drain worker runs.'), labels, read: perRing(({ isUp }) => Number(isUp)) },
    {
      ...counter('hub_worker_restarts_total', 'Drain workers that ended unasked.'),
      labels,
      read: perRing(({ restarts }) => restarts),
    },
  ]
}

function batchMetrics({ figures }: HubMetricsContext): Definitions {
  return [
    {
      ...counter('hub_batches_closed_total', 'Batches, by what closed them.'),
      labels: ['reason'],
      read: () => CLOSE_REASONS.map((reason) => ({ labels: { reason }, value: figures().batches.closedBy[reason] })),
    },
  ]
}

function sinkMetrics({ supervisor, figures, sink }: HubMetricsContext): Definitions {
  const labels = ['sink']
  const one = (value: number) => [{ labels: { sink }, value }]
  const sum = (read: (ring: DrainSupervisor['rings'][number]) => number) => () =>
    one(supervisor.rings.reduce((total, ring) => total + read(ring), 0))
  return [
    {
      ...gauge('hub_sink_up', '1 when the store takes batches.'),
      labels,
      read: () => one(Number(figures().isStoreUp)),
    },
    {
      ...counter('hub_sink_batches_total', 'Batches confirmed: stored now, or known to the store from before.'),
      labels: ['sink', 'result'],
      read: () => {
        const { stored, duplicate } = figures().batches
        return [
          { labels: { sink, result: 'stored' }, value: stored },
          { labels: { sink, result: 'duplicate' }, value: duplicate },
        ]
      },
    },
    {
      ...counter('hub_sink_bytes_total', 'Bytes of batches stored.'),
      labels,
      read: () => one(figures().batches.bytes),
    },
    {
      ...counter('hub_sink_retries_total', 'Batches sent again.'),
      labels,
      read: sum(({ batchesRetried }) => batchesRetried),
    },
    {
      ...gauge('hub_sink_inflight_batches', 'Batches sent and not confirmed.'),
      labels,
      read: sum(({ batchesInFlight }) => batchesInFlight),
    },
    {
      ...gauge('hub_sink_circuit_state', 'Drain workers whose circuit breaker is in the state.'),
      labels: ['sink', 'state'],
      read: () =>
        BREAKER_STATES.map((state) => {
          const value = supervisor.rings.filter(({ status }) => status?.breaker === state).length
          return { labels: { sink, state }, value }
        }),
    },
    {
      ...counter('hub_sink_circuit_openings_total', 'Times a circuit breaker opened.'),
      labels,
      read: sum(({ breakerOpenings }) => breakerOpenings),
    },
  ]
}

function pressureMetrics({ figures }: HubMetricsContext): Definitions {
  return [
    {
      ...gauge('hub_pressure_level', '1 for the level that the processors last told.'),
      labels: ['level'],
      read: () => PRESSURE_LEVELS.map((level) => ({ labels: { level }, value: Number(figures().pressure === level) })),
    },
    {
      ...gauge('hub_pressure_spill_rings', 'Drain workers by what they do because processors are behind.'),
      labels: ['state'],
      read: () => SPILL_STATES.map((state) => ({ labels: { state }, value: figures().spill[state] })),
    },
  ]
}

function gauge(name: string, help: string) {
  return { name, help, kind: 'gauge' as const }
}

function counter(name: string, help: string) {
  return { name, help, kind: 'counter' as const }
}
