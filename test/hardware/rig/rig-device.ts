import type { VirtualDevice } from '#src/hub/drivers/contract/virtual-device'
import type { Seat } from './seat.js'

/** Steps of a ramp; then it begins anew. */
const RAMP_STEPS = 20

/** What a channel senses: a slow ramp that no other device has. */
export interface Ramp {
  readonly from: number
  readonly step: number
  /** How far from a step of the ramp a value may be: the resolution of the chip. */
  readonly tolerance: number
}

export interface RigDeviceOptions {
  readonly name: string
  /** Its name in the catalogue. */
  readonly driver: string
  /** Name of its bus. */
  readonly bus: string
  readonly virtual: VirtualDevice
  readonly seat: Seat
  /** By channel. */
  readonly ramps: Readonly<Record<string, Ramp>>
  /** Readings a second when all is well. */
  readonly rateHz: number
  /** Waited for, of one call. Milliseconds. */
  readonly timeoutMs: number
  /** `false`: it talks by itself. */
  readonly isAsked: boolean
  /** Whether its protocol has a checksum. */
  readonly hasChecksum: boolean
  /** Makes a device that is another one than configured, and can be told. */
  readonly impostor?: () => VirtualDevice
}

/** One virtual device of a rig, and what it should say. */
export class RigDevice {
  readonly options: RigDeviceOptions
  #tick = 0

  constructor(options: RigDeviceOptions) {
    this.options = options
    this.sense(0)
  }

  get name(): string {
    return this.options.name
  }

  get seat(): Seat {
    return this.options.seat
  }

  get virtual(): VirtualDevice {
    return this.options.virtual
  }

  /** Lets all channels sense the given step of their ramps. */
  sense(tick = this.#tick): void {
    this.#tick = tick
    for (const [channel, { from, step }] of Object.entries(this.options.ramps)) {
      this.virtual.set(channel, from + step * (tick % RAMP_STEPS))
    }
  }

  /** As after its power was cut and came back; it goes on to sense what it sensed. */
  powerCycle(): void {
    this.virtual.powerCycle()
    this.sense()
  }

  /** Whether the device can have said this. */
  couldSay(channel: string, value: number): boolean {
    const ramp = this.options.ramps[channel]
    if (ramp === undefined) return true
    const step = Math.round((value - ramp.from) / ramp.step)
    return step >= 0 && step < RAMP_STEPS && Math.abs(value - ramp.from - step * ramp.step) <= ramp.tolerance
  }
}
