import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'

/** What a program knows about itself, read when somebody asks: names and help once, values from plain snapshots. */
export interface MetricDefinition {
  name: string
  help: string
  kind: 'counter' | 'gauge'
  labels?: readonly string[]
  /** Current values; one without labels, or one per label set. */
  read(): number | readonly { labels: Record<string, string>; value: number }[]
}

/** A distribution kept elsewhere, as cumulative counts. */
export interface HistogramDefinition {
  name: string
  help: string
  kind: 'histogram'
  /** Upper bounds in the base unit, ascending, without infinity. */
  bounds: readonly number[]
  /** Names of the labels; absent: one distribution without labels. */
  labels?: readonly string[]
  /** One distribution, or one per label set. */
  read(): Distribution | readonly (Distribution & { labels: Record<string, string> })[]
}

/** `counts[i]`: how many were at most `bounds[i]`. */
export interface Distribution {
  counts: readonly number[]
  count: number
  sum: number
}

/** A Prometheus registry over snapshots, with the process's own metrics. */
export function createMetrics(definitions: readonly (MetricDefinition | HistogramDefinition)[]): Registry {
  const registry = new Registry()
  // Each look at the loop wakes the process: a tenth of a second keeps an idle one asleep.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 })
  for (const definition of definitions) {
    const { kind } = definition
    registry.registerMetric(kind === 'histogram' ? new SnapshotHistogram(definition) : new SnapshotMetric(definition))
  }
  return registry
}

/** Exposes a number that is counted elsewhere: prom-client's Counter can only be incremented, not set. */
class SnapshotMetric extends Gauge<string> {
  readonly #definition: MetricDefinition

  constructor(definition: MetricDefinition) {
    super({
      name: definition.name,
      help: definition.help,
      labelNames: [...(definition.labels ?? [])],
      registers: [],
    })
    this.#definition = definition
  }

  // biome-ignore lint/suspicious/noExplicitAny: prom-client types the result of `get` as a generic metric object.
  override async get(): Promise<any> {
    const { kind, read } = this.#definition
    const values = read()
    if (typeof values === 'number') this.set(values)
    else {
      this.reset()
      for (const { labels, value } of values) this.set(labels, value)
    }
    return { ...(await super.get()), type: kind }
  }
}

/** Exposes a distribution that is recorded elsewhere: prom-client's Histogram can only observe single values. */
class SnapshotHistogram extends Gauge<string> {
  readonly #definition: HistogramDefinition

  constructor(definition: HistogramDefinition) {
    const labelNames = ['le', ...(definition.labels ?? [])]
    super({ name: definition.name, help: definition.help, labelNames, registers: [] })
    this.#definition = definition
  }

  // biome-ignore lint/suspicious/noExplicitAny: prom-client types the result of `get` as a generic metric object.
  override async get(): Promise<any> {
    const { name, bounds, read } = this.#definition
    const distributions = [read()].flat() as readonly (Distribution & { labels?: Record<string, string> })[]
    const values = distributions.flatMap(({ counts, count, sum, labels = {} }) => {
      const bucket = (le: string, value: number) => ({ metricName: `${name}_bucket`, labels: { ...labels, le }, value })
      return [
        ...bounds.map((bound, index) => bucket(String(bound), counts[index])),
        bucket('+Inf', count),
        { metricName: `${name}_sum`, labels, value: sum },
        { metricName: `${name}_count`, labels, value: count },
      ]
    })
    return { ...(await super.get()), type: 'histogram', values }
  }
}
