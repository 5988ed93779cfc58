import type { ReadingOptions } from '../text/reading-options.js'

/** A recording played back as if the device were here. */
export interface ReplayOptions extends ReadingOptions {
  /** Text file, one reading a line; read as it is played, never whole. */
  path: string
  /** `json` is one object a line (NDJSON). */
  format: 'csv' | 'whitespace' | 'json'
  /** The first line names the fields (csv, whitespace); it may be left out when `fields` is given. */
  hasHeader: boolean
  /** Recorded seconds per second, above 0; `max` plays as fast as the ring takes. */
  speed: number | 'max'
  /** `recorded` keeps the instants of the recording; `shifted` stamps each reading with the instant it is played at. */
  timestamps: 'recorded' | 'shifted'
  /** Starts again at the end. With `recorded` each lap follows the one before, so that time does not go back. */
  loop: boolean
  /** Longer pauses of the recording are played as this; absent: as recorded. */
  maxGapMs?: number
  /** Time between readings of a recording without a time column. */
  intervalMs: number
  /** Longest line in bytes; a longer one is counted as `line_too_long` and skipped. */
  maxLineBytes: number
}

/** Filled in for whatever a configuration leaves out; `path` has no default. */
export const REPLAY_DEFAULTS = {
  format: 'csv',
  hasHeader: true,
  speed: 1,
  timestamps: 'shifted',
  loop: false,
  intervalMs: 1000,
  maxLineBytes: 4096,
} as const satisfies Omit<ReplayOptions, 'path'>
