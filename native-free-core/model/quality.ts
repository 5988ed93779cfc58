/** How far a sample may be trusted. The number is the wire and slot form: append only, never reorder. */
export const QUALITY = {
  good: 0,
  stale: 1,
  range: 2,
  rate: 3,
  stuck: 4,
  sentinel: 5,
  warming: 6,
  uncalibrated: 7,
} as const

export type QualityName = keyof typeof QUALITY
/** 0..7, see {@link QUALITY}. */
export type Quality = (typeof QUALITY)[QualityName]

export const QUALITY_NAMES = Object.keys(QUALITY) as readonly QualityName[]
