/** How full the way behind the store is: `amber` asks producers to give less, `red` to give only what matters most. */
export const PRESSURE_LEVELS = ['green', 'amber', 'red'] as const
export type PressureLevel = (typeof PRESSURE_LEVELS)[number]

export interface PressureLimits {
  /** Bytes of batches not settled yet, at which the pressure is red. */
  maxBytes: number
  /** Age of the oldest of them at which it is red, milliseconds. */
  maxHeadAgeMs: number
}

export interface PressureReading {
  bytes: number
  /** 0 when nothing waits. */
  headAgeMs: number
}

/** Shares of the limit at which a level begins, and below which it ends: apart, so that a level does not flutter. */
const AMBER = { begins: 0.6, ends: 0.4 }
const RED = { begins: 1, ends: 0.7 }

/** Turns bytes and age of a backlog into a level, with hysteresis. */
export class PressureGauge {
  readonly #limits: PressureLimits
  #level: PressureLevel = 'green'

  constructor(limits: PressureLimits) {
    this.#limits = limits
  }

  get level(): PressureLevel {
    return this.#level
  }

  /** @returns the level from now on */
  update({ bytes, headAgeMs }: PressureReading): PressureLevel {
    const share = Math.max(bytes / this.#limits.maxBytes, headAgeMs / this.#limits.maxHeadAgeMs)
    if (share >= RED.begins || (this.#level === 'red' && share >= RED.ends)) this.#level = 'red'
    else if (share >= AMBER.begins || (this.#level !== 'green' && share >= AMBER.ends)) this.#level = 'amber'
    else this.#level = 'green'
    return this.#level
  }
}

/** Follows a level up at once, and down only when it has been lower for a while: one quiet second is no relief. */
export class SlowFall {
  readonly #afterMs: number
  readonly #nowMs: () => number
  #level: PressureLevel = 'green'
  #reachedAtMs = 0

  /**
   * @param afterMs how long the level must have been lower
   * @param nowMs monotonic
   */
  constructor(afterMs: number, nowMs: () => number) {
    this.#afterMs = afterMs
    this.#nowMs = nowMs
  }

  get level(): PressureLevel {
    return this.#level
  }

  /** Call about as often as the level is told. @returns the level from now on */
  update(level: PressureLevel): PressureLevel {
    const nowMs = this.#nowMs()
    const isLower = PRESSURE_LEVELS.indexOf(level) < PRESSURE_LEVELS.indexOf(this.#level)
    if (isLower && nowMs - this.#reachedAtMs < this.#afterMs) return this.#level
    this.#level = level
    this.#reachedAtMs = nowMs
    return level
  }
}
