import { Observation } from '../devices/observation.js'
import { Bus } from './bus.js'
import type { BusConfig } from './bus-settings.js'
import { type BusTime, systemBusTime } from './bus-time.js'
import { linkOpener, type OpenLink } from './open-link.js'

export interface BusRegistryOptions {
  readonly time?: BusTime
  /** Opens buses; default: the real ones. */
  readonly open?: OpenLink
  readonly observation?: Observation
}

/** The buses of a hub, each made once. Thread: the hub's main thread. */
export class BusRegistry {
  readonly time: BusTime
  /** Sees what passes through buses and devices. */
  readonly observation: Observation
  readonly #open: OpenLink
  readonly #buses = new Map<string, Bus>()

  constructor({
    time = systemBusTime,
    open = linkOpener(time),
    observation = new Observation(),
  }: BusRegistryOptions = {}) {
    this.time = time
    this.observation = observation
    this.#open = open
  }

  /** @param device has a bus without a name for itself */
  busFor(config: BusConfig, device: string): Bus {
    const name = config.name || `${device}.files`
    const key = config.name === '' ? `device ${device}` : `bus ${name}`
    const known = this.#buses.get(key)
    if (known !== undefined) return known
    const { time, observation } = this
    const bus = new Bus({ config: { ...config, name }, time, open: this.#open, observation })
    this.#buses.set(key, bus)
    return bus
  }

  get buses(): readonly Bus[] {
    return [...this.#buses.values()]
  }
}
