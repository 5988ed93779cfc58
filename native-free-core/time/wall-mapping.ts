import { EARLIEST_WALL_US, LATEST_WALL_US } from './hub-time.js'

/** From this hub time on, wall time is ahead by so much; between two knots, in a straight line. */
export interface WallKnot {
  readonly atUs: number
  readonly offsetUs: number
}

/** What a look at the wall clock has found. */
export type WallChange =
  | { readonly kind: 'steady' }
  /** A small difference is made up for little by little. */
  | { readonly kind: 'slewing'; readonly byUs: number }
  /** The wall clock was set: what is not sealed yet is stamped by the new time. */
  | { readonly kind: 'stepped'; readonly byUs: number }
  /** The machine slept, which hub time leaves out: only what comes after is later. */
  | { readonly kind: 'resumed'; readonly byUs: number }

export interface WallMappingOptions {
  /** A larger difference is a step. Microseconds. */
  stepUs: number
}

/** Of hub time: a second of difference is made up for in half an hour. The kernel's own clock discipline allows the same. */
export const SLEW_SHARE = 500e-6
/** The wall clock is read in whole milliseconds: smaller differences are none. */
const NOISE_US = 2000
/** Time asleep is known to hundredths of a second; what differs by more from it was set, too. */
const SLEEP_TOLERANCE_US = 1_000_000

/** Most knots; the oldest are given up for new ones. */
export const MAX_KNOTS = 64

/**
 * Where hub time lies in wall time, by looks at both that somebody takes once a second. Pure: it reads no clock.
 *
 * Slews never make wall time run backwards, and a sample's wall time depends on its own hub time, not on when it is
 * sealed: so the order of a device's samples stays but at the steps, which {@link steps} counts.
 */
export class WallMapping {
  readonly #stepUs: number
  /** Ascending by time, at least one. */
  #knots: WallKnot[]
  #lookedUs: number
  #steps = 0
  #errorUs = 0

  constructor(hubUs: number, wallUs: number, { stepUs }: WallMappingOptions) {
    this.#stepUs = stepUs
    this.#knots = [{ atUs: hubUs, offsetUs: plausible(hubUs, wallUs) - hubUs }]
    this.#lookedUs = hubUs
  }

  get knots(): readonly WallKnot[] {
    return this.#knots
  }

  /** Times at which stamps may have gone backwards or leapt: the wall clock was set, or a slew was forgotten. */
  get steps(): number {
    return this.#steps
  }

  /** What the wall clock was ahead of the mapping at the last look. */
  get errorUs(): number {
    return this.#errorUs
  }

  toWall(hubUs: number): number {
    return Math.round(hubUs + offsetAt(this.#knots, hubUs))
  }

  /**
   * Takes a look: both clocks at one moment.
   *
   * @param asleepUs how long the machine has slept since the last look
   */
  look(hubUs: number, wallUs: number, asleepUs = 0): WallChange {
    const measuredUs = plausible(hubUs, wallUs) - hubUs
    const currentUs = offsetAt(this.#knots, hubUs)
    const byUs = measuredUs - currentUs
    const change = this.#change(hubUs, measuredUs, currentUs, asleepUs)
    this.#errorUs = change === 'steady' || change === 'slewing' ? byUs : 0
    this.#lookedUs = hubUs
    if (this.#knots.length > MAX_KNOTS) this.#forget()
    return change === 'steady' ? { kind: change } : { kind: change, byUs }
  }

  #change(hubUs: number, measuredUs: number, currentUs: number, asleepUs: number): WallChange['kind'] {
    const byUs = measuredUs - currentUs
    if (Math.abs(byUs) > this.#stepUs) {
      const isSleep = asleepUs > this.#stepUs && Math.abs(byUs - asleepUs) <= SLEEP_TOLERANCE_US
      if (isSleep && byUs > 0) this.#resume(hubUs, measuredUs)
      else this.#step(hubUs, measuredUs, byUs)
      return isSleep && byUs > 0 ? 'resumed' : 'stepped'
    }
    if (Math.abs(measuredUs - this.#knots.at(-1)!.offsetUs) <= NOISE_US) return 'steady'
    // What was planned beyond now is planned anew.
    this.#knots = this.#knots.filter(({ atUs }) => atUs < hubUs)
    this.#knots.push({ atUs: hubUs, offsetUs: currentUs })
    this.#knots.push({ atUs: hubUs + Math.abs(byUs) / SLEW_SHARE, offsetUs: measuredUs })
    return 'slewing'
  }

  /** All of the past was wrong by as much. */
  #step(hubUs: number, measuredUs: number, byUs: number): void {
    this.#steps++
    this.#knots = this.#knots
      .filter(({ atUs }) => atUs < hubUs)
      .map(({ atUs, offsetUs }) => ({ atUs, offsetUs: plausible(atUs, atUs + offsetUs + byUs) - atUs }))
    this.#knots.push({ atUs: hubUs, offsetUs: measuredUs })
  }

  /** The sleep began after the last look: what was taken before it keeps its time. */
  #resume(hubUs: number, measuredUs: number): void {
    const beforeUs = offsetAt(this.#knots, this.#lookedUs)
    this.#knots = this.#knots.filter(({ atUs }) => atUs < this.#lookedUs)
    this.#knots.push({ atUs: this.#lookedUs, offsetUs: beforeUs })
    this.#knots.push({ atUs: Math.min(hubUs, this.#lookedUs + 1), offsetUs: measuredUs })
  }

  /** Samples that have waited since before the second knot move by what the first differed: counted like a step. */
  #forget(): void {
    const [oldest, next] = this.#knots.splice(0, this.#knots.length - MAX_KNOTS + 1)
    const kept = this.#knots[0]
    if (oldest.offsetUs !== kept.offsetUs || (next !== undefined && next.offsetUs !== kept.offsetUs)) this.#steps++
  }
}

/** How far wall time is ahead of the hub time: before the first knot as at it, after the last as at that. */
export function offsetAt(knots: readonly WallKnot[], hubUs: number): number {
  let index = knots.length - 1
  while (index > 0 && knots[index].atUs > hubUs) index--
  const knot = knots[index]
  const next = knots[index + 1]
  if (next === undefined || hubUs <= knot.atUs) return knot.offsetUs
  return knot.offsetUs + ((next.offsetUs - knot.offsetUs) * (hubUs - knot.atUs)) / (next.atUs - knot.atUs)
}

/** A clock that was never set counts from 1990 on: what is stamped so is wall time for everybody, and plainly wrong. */
function plausible(hubUs: number, wallUs: number): number {
  return wallUs >= EARLIEST_WALL_US && wallUs < LATEST_WALL_US ? wallUs : EARLIEST_WALL_US + Math.max(0, hubUs)
}
