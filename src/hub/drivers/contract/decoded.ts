import type { Quality } from '#core/model/quality'
import type { Fault } from './fault.js'

/** Values of one instant. */
export interface DecodedReading {
  /** How long before the end of the acquisition it was taken, microseconds, at least 0. */
  readonly ageUs: number
  /** One per channel of the device, in the order and unit of `channels`; NaN where nothing was measured. */
  readonly values: ArrayLike<number>
  /** One per channel; absent: all good. */
  readonly quality?: readonly Quality[]
}

/** What bytes mean: readings, oldest first (none: nothing new yet), or why they mean nothing. */
export type Decoded = readonly DecodedReading[] | Fault

export function isFault(decoded: Decoded): decoded is Fault {
  return 'fault' in decoded
}

/** Hears each step of the arithmetic, for `--explain`; absent otherwise. */
export type Note = (name: string, value: number | string, formula?: string) => void
