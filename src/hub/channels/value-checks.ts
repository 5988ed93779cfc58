import { QUALITY, type Quality } from '#core/model/quality'
import type { Sentinel } from '../drivers/contract/manifest.js'
import { graver } from './suspect.js'

/** Why a value is suspect by the hub's own checks. */
export const SUSPECT_REASONS = ['range', 'rate', 'stuck', 'sentinel', 'stale'] as const
export type SuspectReason = (typeof SUSPECT_REASONS)[number]

/** What a driver's manifest says of a channel, in the unit that the driver decodes to. */
export interface DeclaredChecks {
  readonly range?: readonly [min: number, max: number]
  readonly resolution?: number
  readonly sentinels?: readonly Sentinel[]
}

/** What the configuration says, in the channel's unit, calibrated. */
export interface ConfiguredChecks {
  readonly range?: readonly [min: number, max: number]
  readonly maxRatePerSecond?: number
  readonly stuckAfterMs?: number
}

/**
 * Judges one channel's values one by one, in the order in which they were taken.
 *
 * Rate: against the last value that was not suspect, and the time since: after a real jump, values are taken again as
 * soon as so much change was possible. Stuck: the decoded value has been exactly the same for so long.
 */
export class ValueChecks {
  readonly #declared: DeclaredChecks
  readonly #configured: ConfiguredChecks
  /** Half a step of the sensor: a sentinel may come out of other arithmetic a last digit away. */
  readonly #tolerance: number
  readonly #onSuspect: (reason: SuspectReason) => void
  #isRateKnown = false
  #lastValue = 0
  #lastUs = 0
  #sameValue = Number.NaN
  #sameSinceUs = 0

  /** @param onSuspect hears every reason, also when a value has several */
  constructor(declared: DeclaredChecks, configured: ConfiguredChecks, onSuspect: (reason: SuspectReason) => void) {
    this.#declared = declared
    this.#configured = configured
    this.#tolerance = (declared.resolution ?? 0) / 2
    this.#onSuspect = onSuspect
  }

  /**
   * @param decoded as the driver gave it
   * @param value the same in the channel's unit, calibrated
   * @returns the gravest quality of all checks; good when none objects
   */
  judge(decoded: number, value: number, takenAtUs: number): Quality {
    let quality: Quality = this.#judgeSentinel(decoded)
    if (
      quality === QUALITY.good &&
      (isOutside(decoded, this.#declared.range) || isOutside(value, this.#configured.range))
    ) {
      this.#onSuspect('range')
      quality = QUALITY.range
    }
    if (quality === QUALITY.good && this.#isTooFast(value, takenAtUs)) {
      this.#onSuspect('rate')
      quality = QUALITY.rate
    }
    if (this.#isStuck(decoded, takenAtUs)) {
      this.#onSuspect('stuck')
      quality = graver(quality, QUALITY.stuck)
    }
    return quality
  }

  /** The value was not suspect in any way: rates count from it. */
  trusted(value: number, takenAtUs: number): void {
    this.#isRateKnown = true
    this.#lastValue = value
    this.#lastUs = takenAtUs
  }

  /** Forgets: the device was opened anew, and what it said before tells nothing of now. */
  reset(): void {
    this.#isRateKnown = false
    this.#sameValue = Number.NaN
  }

  #judgeSentinel(decoded: number): Quality {
    const { sentinels } = this.#declared
    if (sentinels === undefined) return QUALITY.good
    for (const { value, quality } of sentinels) {
      if (Math.abs(decoded - value) > this.#tolerance) continue
      this.#onSuspect('sentinel')
      return quality
    }
    return QUALITY.good
  }

  #isTooFast(value: number, takenAtUs: number): boolean {
    const { maxRatePerSecond } = this.#configured
    if (maxRatePerSecond === undefined || !this.#isRateKnown) return false
    const seconds = (takenAtUs - this.#lastUs) / 1_000_000
    return seconds > 0 && Math.abs(value - this.#lastValue) > maxRatePerSecond * seconds
  }

  #isStuck(decoded: number, takenAtUs: number): boolean {
    const { stuckAfterMs } = this.#configured
    if (stuckAfterMs === undefined) return false
    // Also when the clock was set back: since when it is the same is not known any more.
    if (decoded !== this.#sameValue || takenAtUs < this.#sameSinceUs) {
      this.#sameValue = decoded
      this.#sameSinceUs = takenAtUs
    }
    return takenAtUs - this.#sameSinceUs >= stuckAfterMs * 1000
  }
}

function isOutside(value: number, range: readonly [min: number, max: number] | undefined): boolean {
  return range !== undefined && (value < range[0] || value > range[1])
}
