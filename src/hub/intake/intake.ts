import { TelemetryError } from '#core/errors/telemetry-error'
import { PRIORITY_NAMES, type Priority, type PriorityName } from '#core/model/priority'
import { shardOf } from '#core/model/shard'
import type { HubFigures } from '../hub-figures.js'
import { DeviceIntake, type DeviceIntakeOptions, type OverflowPolicy } from './device-intake.js'
import { LatestSample } from './latest-sample.js'
import type { RingClasses } from './ring-classes.js'
import type { RingLane } from './ring-lane.js'
import type { SeriesRegistry } from './series-registry.js'
import type { SheddingLadder } from './shedding-ladder.js'

export interface IntakeOptions {
  /** One per drain worker, at least one; those of the first of `classes` come first. */
  lanes: readonly RingLane[]
  /** As many rings for each of them. */
  classes: readonly RingClasses[]
  registry: SeriesRegistry
  ladder: SheddingLadder
  stampOriginUs?: DeviceIntakeOptions['stampOriginUs']
  onReject: DeviceIntakeOptions['onReject']
}

/** What all devices handed in, in samples. */
export interface IntakeTotals {
  accepted: number
  /** Accepted, and refused by a full ring. */
  dropped: number
  /** Accepted, and left out while the processors were behind. */
  thinned: number
  /** Accepted, and of a class that was not taken while they were. */
  refusedByClass: number
}

/** The way into the rings: one {@link DeviceIntake} per device. Thread: the hub's main thread. */
export class Intake {
  readonly #options: IntakeOptions
  readonly #latest = new LatestSample()
  readonly #devices = new Map<string, DeviceIntake>()

  constructor(options: IntakeOptions) {
    this.#options = options
  }

  get lanes(): readonly RingLane[] {
    return this.#options.lanes
  }

  get ladder(): SheddingLadder {
    return this.#options.ladder
  }

  get registry(): SeriesRegistry {
    return this.#options.registry
  }

  /** @throws TLM_INVARIANT_BROKEN there is one of that name */
  addDevice(name: string, { priority, overflow }: { priority: Priority; overflow: OverflowPolicy }): DeviceIntake {
    if (this.#devices.has(name)) throw new TelemetryError('TLM_INVARIANT_BROKEN', `Device ${name} is there already.`)
    const { lanes, classes, registry, ladder, stampOriginUs, onReject } = this.#options
    // A device, or what a class has of it, belongs to one ring for good: its samples stay in order.
    const perGroup = lanes.length / classes.length
    const at = shardOf(name, perGroup)
    const groupOf = (className: PriorityName) => classes.findIndex((group) => group.includes(className))
    const lanesOfDevice = PRIORITY_NAMES.map((className) => lanes[groupOf(className) * perGroup + at])
    const device = new DeviceIntake({
      name,
      priority,
      overflow,
      lanes: lanesOfDevice,
      registry,
      latest: this.#latest,
      ladder,
      stampOriginUs,
      onReject,
    })
    this.#devices.set(name, device)
    return device
  }

  /** No device can hand in anything any more. */
  close(): void {
    for (const device of this.#devices.values()) device.close()
  }

  device(name: string): DeviceIntake | undefined {
    return this.#devices.get(name)
  }

  totals(): IntakeTotals {
    const totals: IntakeTotals = { accepted: 0, dropped: 0, thinned: 0, refusedByClass: 0 }
    for (const { accepted, dropped, thinned, refusedByClass } of this.#devices.values()) {
      totals.accepted += accepted
      totals.dropped += dropped
      totals.thinned += thinned
      totals.refusedByClass += refusedByClass
    }
    return totals
  }

  /** By device and reason, for the devices that rejected something. */
  rejected(): { device: string; reason: string; count: number }[] {
    const rows: { device: string; reason: string; count: number }[] = []
    for (const device of this.#devices.values()) {
      for (const [reason, count] of device.rejects()) rows.push({ device: device.name, reason, count })
    }
    return rows
  }

  latest(): HubFigures['latest'] {
    const newest = this.#latest.get()
    if (newest === undefined) return undefined
    const { series, sequence, value } = newest
    const { device, channel, unit } = this.#options.registry.descriptors[series]
    return { device, channel, sequence, value, unit }
  }
}
