import { PressureGauge, type PressureLevel, type PressureLimits } from '#core/policy/pressure'
import type { Clock } from '#core/time/clock'
import type { PressureSignal } from '#core/transport/pressure-signal'
import type { StoreHealth } from '../store-health.js'
import type { Backlog } from './depth-watch.js'

const INTERVAL_MS = 1000
/** A level that no processor repeats for so long is no longer true. */
const VALID_MS = 5000

export interface PressurePublisherParts {
  signal: PressureSignal
  limits: PressureLimits
  /** As of the last look at the store. */
  backlog: () => Backlog
  health: StoreHealth
  clock: Clock
}

/** Tells the hubs, every second, how hard the processors are pressed. Every processor says the same. */
export class PressurePublisher {
  readonly #parts: PressurePublisherParts
  readonly #gauge: PressureGauge
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(parts: PressurePublisherParts) {
    this.#parts = parts
    this.#gauge = new PressureGauge(parts.limits)
  }

  get level(): PressureLevel {
    return this.#gauge.level
  }

  async start(): Promise<void> {
    await this.say()
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.start(), INTERVAL_MS)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Never throws. */
  async say(): Promise<void> {
    const { signal, backlog, health, clock } = this.#parts
    const { bytes, oldestStoredAtUs } = backlog()
    const headAgeMs = oldestStoredAtUs === undefined ? 0 : Math.max(0, (clock.nowUs() - oldestStoredAtUs) / 1000)
    try {
      await signal.write(this.#gauge.update({ bytes, headAgeMs }), VALID_MS)
    } catch (error) {
      health.failed('pressure', error)
    }
  }
}
