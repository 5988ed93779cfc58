import { PressureGauge, type PressureLevel, type PressureLimits } from '#core/policy/pressure'
import type { Clock } from '#core/time/clock'
import { Repeated } from '#core/time/repeated'
import type { PressureSignal } from '#core/transport/pressure-signal'
import type { StoreHealth } from '../store-health.js'
import { type Backlog, headAgeMs } from './depth-watch.js'

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
  readonly #sayings = new Repeated(() => this.say(), INTERVAL_MS)

  constructor(parts: PressurePublisherParts) {
    this.#parts = parts
    this.#gauge = new PressureGauge(parts.limits)
  }

  get level(): PressureLevel {
    return this.#gauge.level
  }

  start(): void {
    void this.#sayings.start()
  }

  stop(): void {
    void this.#sayings.stop()
  }

  /** Never throws. */
  async say(): Promise<void> {
    const { signal, backlog, health, clock } = this.#parts
    const now = backlog()
    const level = this.#gauge.update({ bytes: now.bytes, headAgeMs: headAgeMs(now, clock) })
    try {
      await signal.write(level, VALID_MS)
    } catch (error) {
      health.failed('pressure', error)
    }
  }
}
