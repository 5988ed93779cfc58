import { TelemetryError } from '#core/errors/telemetry-error'
import type { Random } from './random.js'
import type { SimFaults } from './sim-options.js'

/** Why a reading is lost; the name of its counter. */
export type LossReason = 'sensor_error' | 'bus_timeout' | 'dropout'

/** Decides by the seed which reading suffers what. Draws nothing for faults that are off. */
export class FaultScript {
  readonly #faults: SimFaults
  readonly #random: Random
  readonly #sensorErrors: number
  readonly #busErrors: number
  #errorsInARow = 0
  #dropoutLeft = 0
  #stuckLeft = 0
  /** Whether any fault can happen at all; the fast path asks only this. */
  readonly isActive: boolean

  constructor(faults: SimFaults, random: Random) {
    const { mode, errorProbability, spikeProbability, stuckProbability, dropoutProbability } = faults
    this.#faults = faults
    this.#random = random
    this.#sensorErrors = mode === 'random-sensor-errors' || mode === 'both' ? errorProbability : 0
    this.#busErrors = mode === 'communication-failure' || mode === 'both' ? errorProbability : 0
    const sum = this.#sensorErrors + this.#busErrors + spikeProbability + stuckProbability + dropoutProbability
    this.isActive = sum > 0 || faults.afterReadings > 0
  }

  /**
   * Why this reading is lost, or `undefined` when it is not.
   *
   * @throws TLM_BUS_UNAVAILABLE with `latched` when the device fails for good
   */
  loss(index: number): LossReason | undefined {
    const { afterReadings, dropoutProbability, dropoutReadings } = this.#faults
    if (afterReadings > 0 && index >= afterReadings) throw latchedFault(`failed after ${afterReadings} readings`)
    if (this.#dropoutLeft === 0 && this.#hits(dropoutProbability)) this.#dropoutLeft = dropoutReadings
    if (this.#dropoutLeft > 0) {
      this.#dropoutLeft--
      return 'dropout'
    }
    const error = this.#hits(this.#sensorErrors)
      ? 'sensor_error'
      : this.#hits(this.#busErrors)
        ? 'bus_timeout'
        : undefined
    this.#errorsInARow = error === undefined ? 0 : this.#errorsInARow + 1
    return error
  }

  /** To be asked after a loss was counted. @throws TLM_BUS_UNAVAILABLE with `latched` after too many in a row */
  checkConsecutiveErrors(): void {
    const { maxConsecutiveErrors } = this.#faults
    if (maxConsecutiveErrors === 0 || this.#errorsInARow < maxConsecutiveErrors) return
    this.#errorsInARow = 0
    throw latchedFault(`gave ${maxConsecutiveErrors} errors in a row`)
  }

  /** Whether this reading repeats the last values. */
  isStuck(): boolean {
    if (this.#stuckLeft === 0) {
      if (this.#hits(this.#faults.stuckProbability)) this.#stuckLeft = this.#faults.stuckReadings
      return false
    }
    this.#stuckLeft--
    return true
  }

  /** What to add to one value; mostly 0. */
  spike(): number {
    if (!this.#hits(this.#faults.spikeProbability)) return 0
    return this.#random.nextInt() < 0 ? -this.#faults.spikeSize : this.#faults.spikeSize
  }

  #hits(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability
  }
}

function latchedFault(what: string): TelemetryError {
  return new TelemetryError('TLM_BUS_UNAVAILABLE', `The simulated device ${what}: reset it.`, { latched: true })
}
