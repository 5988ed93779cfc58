import type { Device } from './devices/device.js'
import type { DeviceState } from './devices/device-state.js'

export type ResetOutcome = 'reset' | 'measuring' | 'nothing-to-reset'

/** How long one device may take to stop before the others go on without it. */
const DEVICE_STOP_MS = 3000

/**
 * All devices as one, as the original's gateway was: started, stopped and reset together, one call at a time however
 * many ask. Thread: the hub's main thread.
 */
export class Gateway {
  readonly #devices: readonly Device[]
  #queue: Promise<unknown> = Promise.resolve()

  constructor(devices: readonly Device[]) {
    this.#devices = devices
  }

  get devices(): readonly Device[] {
    return this.#devices
  }

  /** `Measuring` while any device does; else the gravest state there is. */
  get state(): DeviceState {
    const states = new Set(this.#devices.map((device) => device.state))
    const order = ['Measuring', 'SafeState', 'Error'] as const
    return order.find((state) => states.has(state)) ?? 'Idle'
  }

  start(): Promise<void> {
    return this.#serialised(async () => {
      await Promise.all(this.#devices.map((device) => device.start()))
    })
  }

  stop(deadlineMs = DEVICE_STOP_MS): Promise<void> {
    return this.#serialised(async () => {
      await Promise.all(this.#devices.map((device) => device.stop(deadlineMs)))
    })
  }

  /** Clears latched faults; refused while anything measures, as the original did. */
  reset(): Promise<ResetOutcome> {
    return this.#serialised(async () => {
      if (this.state === 'Measuring') return 'measuring'
      const cleared = await Promise.all(this.#devices.map((device) => device.reset()))
      return cleared.includes(true) ? 'reset' : 'nothing-to-reset'
    })
  }

  #serialised<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(step)
    this.#queue = result.catch(() => {})
    return result
  }
}
