/** The processor's Prometheus metrics: names and where their values come from. Labels are of small, fixed sets. */
import { Histogram } from 'prom-client'
import type { LatencyRecorder } from '#core/observe/latency-recorder'
import { PRESSURE_LEVELS } from '#core/policy/pressure'
import type { DeadLetterTotals } from '#core/transport/dead-letters'
import { latencyHistogram } from '../host/latency-histogram.js'
import { createMetrics, type HistogramDefinition, type MetricDefinition } from '../host/metrics.js'
import type { PoolCounters } from './dispatch/handler-pool.js'
import { circuitNumber, type HandlerWatch, type WatchedHandler } from './dispatch/handler-watch.js'
import type { InboxCounters } from './inbox/inbox-loop.js'
import { imbalanceOf, type ProcessorFigures } from './processor-figures.js'
import type { SinkCounters } from './sinks/sink.js'

export interface MetricSources {
  figures(): ProcessorFigures
  entriesInFlight(): number
  /** Age of the oldest unsettled entry, seconds. */
  lagSeconds(): number
  pool: PoolCounters
  threads(): number
  sink: SinkCounters
  chunks(): number
  latency: LatencyRecorder
  inbox(): InboxCounters | undefined
  handlers: HandlerWatch
  /** Entries put back without an attempt, by reason. */
  held: Readonly<Record<string, number>>
  probes: { runs: number }
  /** `undefined` until they were looked at. */
  deadLetters(): DeadLetterTotals | undefined
}

export interface ProcessorMetrics {
  readonly contentType: string
  /** The metrics in Prometheus' text format, all of the same moment. */
  render(): Promise<string>
  /** Told how long each run took. */
  observeRun(durationMs: number): void
}

export function createProcessorMetrics(sources: MetricSources): ProcessorMetrics {
  let figures = sources.figures()
  const snapshot = { ...sources, figures: () => figures }
  const registry = createMetrics([
    ...ledgerMetrics(snapshot),
    ...queueMetrics(snapshot),
    ...workMetrics(snapshot),
    ...deadLetterMetrics(snapshot),
    ...handlerMetrics(snapshot),
  ])
  const durations = new Histogram({
    name: 'processor_task_duration_seconds',
    help: 'Time of one run of the handlers in its thread',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers: [registry],
  })
  return {
    contentType: registry.contentType,
    render: () => {
      figures = sources.figures()
      return registry.metrics()
    },
    observeRun: (durationMs) => durations.observe(durationMs / 1000),
  }
}

function ledgerMetrics({ figures }: MetricSources): MetricDefinition[] {
  return [
    {
      name: 'processor_samples_total',
      help: 'Samples by what became of them; leased is the sum of the others and of those in flight',
      kind: 'counter',
      labels: ['outcome'],
      read: () => {
        const { leased, settled, deadLettered, retried, released } = figures().ledger
        const outcomes = { leased, settled, dead_lettered: deadLettered, retried, released }
        return Object.entries(outcomes).map(([outcome, value]) => ({ labels: { outcome }, value }))
      },
    },
    counter('telemetry_tasks_processed_total', 'Samples settled', () => figures().ledger.settled),
    counter('telemetry_tasks_failed_total', 'Samples dead-lettered', () => figures().ledger.deadLettered),
    counter('processor_retries_total', 'Samples given back for a later try', () => figures().ledger.retried),
    gauge('processor_samples_in_flight', 'Samples leased and not settled', () => figures().ledger.inFlight),
    gauge('processor_ledger_imbalance_samples', 'Samples not accounted for: 0', () => imbalanceOf(figures().ledger)),
    {
      name: 'processor_samples_rejected_total',
      help: 'Settled samples that a handler refused',
      kind: 'counter',
      labels: ['reason'],
      read: () => Object.entries(figures().ledger.rejectedBy).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    {
      name: 'processor_findings_total',
      help: 'Findings written',
      kind: 'counter',
      labels: ['handler'],
      read: () =>
        Object.entries(figures().findings.byHandler).map(([handler, value]) => ({ labels: { handler }, value })),
    },
  ]
}

function queueMetrics({ figures, entriesInFlight, lagSeconds, inbox }: MetricSources): MetricDefinition[] {
  return [
    gauge('processor_queue_depth', 'Batches in the store that nobody has settled', () => figures().backlog.entries),
    gauge('processor_queue_samples', 'Their samples', () => figures().backlog.samples),
    gauge('telemetry_queue_depth', 'As processor_queue_depth', () => figures().backlog.entries),
    gauge('processor_delayed_tasks', 'Batches that wait for their next try', () => figures().backlog.delayed),
    gauge('processor_dead_letters', 'Batches in the dead letters', () => figures().backlog.deadLetters),
    gauge('processor_lag_seconds', 'Age of the oldest batch that nobody has settled', lagSeconds),
    gauge('processor_pressure', 'What hubs are told of the backlog: 0 green, 1 amber, 2 red', () =>
      PRESSURE_LEVELS.indexOf(figures().pressure),
    ),
    gauge('processor_inflight_tasks', 'Batches leased and not settled', entriesInFlight),
    gauge('processor_shards_owned', 'Shards that this processor owns', () => figures().shardsOwned),
    counter('processor_inbox_tasks_total', 'Pushed tasks taken in', () => inbox()?.tasks ?? 0),
    counter('processor_inbox_dead_letters_total', 'Pushed tasks refused', () => inbox()?.deadLettered ?? 0),
  ]
}

/** Of the whole store, whichever processor did it. */
function deadLetterMetrics({ deadLetters }: MetricSources): MetricDefinition[] {
  return [
    gauge('processor_dead_letter_bytes', 'Bodies of the dead letters', () => deadLetters()?.bytes ?? 0),
    counter('processor_dead_letters_replayed_total', 'Dead letters replayed', () => deadLetters()?.replayed ?? 0),
    counter('processor_dead_letters_purged_total', 'Dead letters purged', () => deadLetters()?.purged ?? 0),
    {
      name: 'processor_dead_letters_dropped_total',
      help: 'Dead letters dropped to stay within a bound, by the bound',
      kind: 'counter',
      labels: ['bound'],
      read: () => Object.entries(deadLetters()?.dropped ?? {}).map(([bound, value]) => ({ labels: { bound }, value })),
    },
  ]
}

function workMetrics(sources: MetricSources): (MetricDefinition | HistogramDefinition)[] {
  const { figures, pool, threads, sink, chunks, latency } = sources
  return [
    counter('processor_tasks_total', 'Runs of the handlers', () => pool.runs),
    counter('processor_run_deaths_total', 'Runs that ended with their thread', () => pool.deaths),
    counter('processor_run_out_of_memory_total', 'Of those, the ones for want of heap', () => pool.outOfMemory),
    counter('processor_runs_overdue_total', 'Runs ended because they took too long', () => pool.overdue),
    gauge('processor_threads', 'Handler threads', threads),
    counter('processor_chunks_total', 'Whole batches stored', chunks),
    counter('processor_sink_commits_total', 'Commits of the sink', () => sink.commits),
    counter('processor_sink_failures_total', 'Commits of the sink that failed', () => sink.failedCommits),
    gauge('processor_sink_queue_bytes', 'Findings and chunks that wait for their commit', () => sink.queuedBytes),
    gauge('processor_sink_up', '1 while the sink works', () => Number(figures().isSinkUp)),
    gauge('processor_store_up', '1 while the store answers', () => Number(figures().isStoreUp)),
    latencyHistogram(
      'processor_sample_latency_seconds',
      'From the reading of a sample to its findings being written',
      LATENCY_BOUNDS,
      latency,
    ),
  ]
}

function handlerMetrics({ handlers, held, probes }: MetricSources): MetricDefinition[] {
  const byHandler = (read: (handler: WatchedHandler) => number) => () =>
    handlers.handlers.map((handler) => ({ labels: { handler: handler.type }, value: read(handler) }))
  const labels = ['handler']
  return [
    {
      name: 'processor_handler_circuit',
      help: "State of a user handler's circuit: 0 closed, 1 half-open, 2 open",
      kind: 'gauge',
      labels,
      read: byHandler(({ circuit }) => circuitNumber(circuit.state)),
    },
    {
      name: 'processor_handler_circuit_openings_total',
      help: 'Times that a circuit has opened',
      kind: 'counter',
      labels,
      read: byHandler(({ circuit }) => circuit.openings),
    },
    {
      name: 'processor_handler_failures_total',
      help: 'Batches that a user handler threw on, or that ended its thread',
      kind: 'counter',
      labels,
      read: byHandler(({ failures }) => failures),
    },
    {
      name: 'processor_handler_retry_debt',
      help: 'Retries that are planned ahead of what the retry budget has earned',
      kind: 'gauge',
      labels,
      read: byHandler(({ budget }) => budget.debt),
    },
    {
      name: 'processor_batches_held_total',
      help: 'Batches put back as they were, without an attempt',
      kind: 'counter',
      labels: ['reason'],
      read: () => Object.entries(held).map(([reason, value]) => ({ labels: { reason }, value })),
    },
    counter('processor_probes_total', 'Runs without effect, to find out what ends a run', () => probes.runs),
  ]
}

/** Upper bounds in seconds. */
const LATENCY_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300]

function counter(name: string, help: string, read: () => number): MetricDefinition {
  return { name, help, kind: 'counter', read }
}

function gauge(name: string, help: string, read: () => number): MetricDefinition {
  return { name, help, kind: 'gauge', read }
}
