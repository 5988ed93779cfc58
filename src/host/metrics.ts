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

/** A Prometheus registry over snapshots, with the process's own metrics. */
export function createMetrics(definitions: readonly MetricDefinition[]): Registry {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const definition of definitions) registry.registerMetric(new SnapshotMetric(definition))
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
