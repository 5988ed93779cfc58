import type { MetricDefinition } from '../../host/metrics.js'
import type { Bus } from './bus.js'
import { RESULTS } from './bus-meter.js'
import type { BusRegistry } from './bus-registry.js'

/** Prometheus metrics of the hub's buses. */
export function busMetrics({ buses }: BusRegistry): MetricDefinition[] {
  const labels = ['bus']
  const perBus = (read: (bus: Bus) => number) => () =>
    buses.map((bus) => ({ labels: { bus: bus.name }, value: read(bus) }))
  return [
    {
      name: 'hub_bus_up',
      help: '1 while the bus is open.',
      kind: 'gauge',
      labels,
      read: perBus((bus) => Number(bus.isOpen)),
    },
    {
      name: 'hub_bus_utilization_ratio',
      help: 'Share of the last 10 to 20 s in which the bus was busy.',
      kind: 'gauge',
      labels,
      read: perBus((bus) => bus.utilization),
    },
    {
      name: 'hub_bus_busy_seconds_total',
      help: 'Time the bus was busy.',
      kind: 'counter',
      labels,
      read: perBus((bus) => bus.busySeconds),
    },
    {
      name: 'hub_bus_transactions_total',
      help: 'Calls on the bus, by result.',
      kind: 'counter',
      labels: ['bus', 'result'],
      read: () =>
        buses.flatMap((bus) =>
          RESULTS.map((result) => ({ labels: { bus: bus.name, result }, value: bus.counts.get(result) })),
        ),
    },
    {
      name: 'hub_bus_recoveries_total',
      help: 'Times the bus was closed and opened to bring a device back.',
      kind: 'counter',
      labels,
      read: perBus((bus) => bus.recoveries),
    },
    {
      name: 'hub_bus_device_busy_seconds_total',
      help: 'Time a device had the bus.',
      kind: 'counter',
      labels: ['bus', 'device'],
      read: () =>
        buses.flatMap((bus) =>
          [...bus.users].map(({ name, busyMs }) => ({ labels: { bus: bus.name, device: name }, value: busyMs / 1000 })),
        ),
    },
  ]
}
