import { PRIORITY_NAMES, type Priority, type PriorityName } from '#core/model/priority'
import type { PressureLevel } from '#core/policy/pressure'

/**
 * What is done with the readings of a class while the processors are pressed: nothing, keep them in the spool for later,
 * keep one in so many, take none.
 */
export const SHEDDING_STEPS = ['pass', 'spill', 'thin', 'refuse'] as const
export type SheddingStep = (typeof SHEDDING_STEPS)[number]

export interface SheddingOptions {
  amber: Readonly<Record<PriorityName, SheddingStep>>
  red: Readonly<Record<PriorityName, SheddingStep>>
  /** Of the readings of a device that are thinned, one in so many is kept. */
  keepOneIn: number
}

const PASS_ALL = { high: 'pass', normal: 'pass', low: 'pass' } as const

/** Nothing is given up; what the store cannot take waits in the hub. */
export const NO_SHEDDING: SheddingOptions = { amber: PASS_ALL, red: PASS_ALL, keepOneIn: 10 }

/**
 * The declared answer to pressure, by class. Steps are taken and taken back as the level changes; what they cost is
 * counted by the intake. Spilling is up to the drain workers, see `ring-classes`. Thread: the hub's main thread.
 */
export class SheddingLadder {
  readonly #options: SheddingOptions
  #level: PressureLevel = 'green'
  /** Indexed by priority. */
  #steps: readonly SheddingStep[] = PRIORITY_NAMES.map(() => 'pass')

  constructor(options: SheddingOptions) {
    this.#options = options
  }

  get level(): PressureLevel {
    return this.#level
  }

  /** @returns whether the level is another one now */
  setLevel(level: PressureLevel): boolean {
    const isChanged = level !== this.#level
    this.#level = level
    this.#steps = PRIORITY_NAMES.map((name) => (level === 'green' ? 'pass' : this.#options[level][name]))
    return isChanged
  }

  step(priority: Priority): SheddingStep {
    return this.#steps[priority]
  }

  /**
   * Whether to take a reading. Cost: one look into an array while nothing is shed.
   *
   * @param nth how many readings the device has had before it
   */
  takes(priority: Priority, nth: number): boolean {
    const step = this.#steps[priority]
    if (step === 'pass' || step === 'spill') return true
    return step === 'thin' && nth % this.#options.keepOneIn === 0
  }
}
