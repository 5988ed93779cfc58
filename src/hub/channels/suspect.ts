import { QUALITY, type Quality } from '#core/model/quality'

/** Gravest last: what a value that deserves several of them is called. */
const BY_GRAVITY = ['good', 'uncalibrated', 'warming', 'stale', 'stuck', 'rate', 'range', 'sentinel'] as const
const GRAVITY = Object.values(QUALITY).map((quality) => BY_GRAVITY.findIndex((name) => QUALITY[name] === quality))

/** The graver of two: a sentinel is no measurement at all, a value that is merely not calibrated is nearly good. */
export function graver(a: Quality, b: Quality): Quality {
  return GRAVITY[a] >= GRAVITY[b] ? a : b
}

/** Whether a value may not be mixed with others. One that lacks its calibration may, with its like. */
export function isSuspect(quality: Quality): boolean {
  return quality !== QUALITY.good && quality !== QUALITY.uncalibrated
}
