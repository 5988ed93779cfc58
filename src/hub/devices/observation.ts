import type { Decoded } from '../drivers/contract/decoded.js'
import type { Fault } from '../drivers/contract/fault.js'

/** One call on a bus, after it has ended. */
export interface BusTransaction {
  readonly bus: string
  readonly device: string
  /** `write`, `read`, `write-read`, `transfer`, `exchange`, `list`. */
  readonly call: string
  /** Wall time, when the device had the bus. */
  readonly startedAtUs: number
  readonly tookMs: number
  /** The frames, for a file its path. */
  readonly sent: readonly Uint8Array[]
  readonly received: readonly Uint8Array[]
  readonly fault?: Fault
}

/** One acquisition of a polled device, or one frame of a device that talks by itself. */
export interface Acquisition {
  readonly device: string
  /** Wall time at its end; ages of readings count from there. */
  readonly takenAtUs: number
  readonly tookMs: number
  /** As `acquire` or the framer gave them; empty when there are none. */
  readonly raw: Uint8Array
  /** As `initialise` gave them; empty for devices that talk by themselves. */
  readonly setup: Uint8Array
  /** Absent: there were no bytes to decode. */
  readonly decoded?: Decoded
  readonly fault?: Fault
}

/**
 * Sees what passes through buses and devices, for recorders and commands. Bytes may be kept: nobody writes to them
 * afterwards. Must not throw. Thread: the hub's main thread, in the path of the reading.
 */
export interface HubObserver {
  transaction?(transaction: BusTransaction): void
  acquisition?(acquisition: Acquisition): void
}

/** The observers of a hub. What nobody watches costs one comparison. */
export class Observation {
  readonly #observers = new Set<HubObserver>()

  get isWatched(): boolean {
    return this.#observers.size > 0
  }

  /** @returns what ends it */
  add(observer: HubObserver): () => void {
    this.#observers.add(observer)
    return () => this.#observers.delete(observer)
  }

  transaction(transaction: BusTransaction): void {
    for (const observer of this.#observers) observer.transaction?.(transaction)
  }

  acquisition(acquisition: Acquisition): void {
    for (const observer of this.#observers) observer.acquisition?.(acquisition)
  }
}
