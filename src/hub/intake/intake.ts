import { TelemetryError } from '#core/errors/telemetry-error'
import type { Priority } from '#core/model/priority'
import { shardOf } from '#core/model/shard'
import type { HubFigures } from '../hub-figures.js'
import { DeviceIntake, type DeviceIntakeOptions, type OverflowPolicy } from './device-intake.js'
import { LatestSample } from './latest-sample.js'
import type { RingLane } from './ring-lane.js'
import type { SeriesRegistry } from './series-registry.js'

export interface IntakeOptions {
  /** One per drain worker, at least one. */
  lanes: readonly RingLane[]
  registry: SeriesRegistry
  onReject: DeviceIntakeOptions['onReject']
}

/** What all devices handed in, in samples. */
export interface IntakeTotals {
  accepted: number
  /** Accepted, and refused by a full ring. */
  dropped: number
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

  get registry(): SeriesRegistry {
    return this.#options.registry
  }

  /** @throws TLM_INVARIANT_BROKEN there is one of that name */
  addDevice(name: string, { priority, overflow }: { priority: Priority; overflow: OverflowPolicy }): DeviceIntake {
    if (this.#devices.has(name)) throw new TelemetryError('TLM_INVARIANT_BROKEN', `Device ${name} is there already.`)
    const { lanes, registry, onReject } = this.#options
    // A device belongs to one ring for good: its samples stay in order.
    const lane = lanes[shardOf(name, lanes.length)]
    const device = new DeviceIntake({ name, priority, overflow, lane, registry, latest: this.#latest, onReject })
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
    let accepted = 0
    let dropped = 0
    for (const device of this.#devices.values()) {
      accepted += device.accepted
      dropped += device.dropped
    }
    return { accepted, dropped }
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
