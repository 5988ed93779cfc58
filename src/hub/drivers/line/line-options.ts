import type { SerialSettings } from '../../buses/bus-settings.js'
import type { LineChecksum } from '../text/checksummed-line.js'
import type { LineFormat } from '../text/fields.js'
import type { ReadingOptions } from '../text/reading-options.js'

/** A device that sends lines of text over a serial port. */
export interface LineOptions extends SerialSettings, Omit<ReadingOptions, 'format'> {
  format: LineFormat | 'struct'
  /** Of `struct`: frames of one length in place of lines. */
  struct?: StructOptions
  /** Ends each line or frame. */
  checksum?: LineChecksum
  /** Ends a line: 1..8 characters. Trailing blanks and `\r` of a line are ignored anyway. */
  delimiter: string
  /** Longest line in bytes, 1..65536; a longer one is counted as `line_too_long` and skipped to its end. */
  maxLineBytes: number
  /** The first line after opening may have lost its head (`20.1` read as `0.1`): skips and counts it (`line_partial`). */
  skipFirstLine: boolean
  /** Passes each line's bytes on with its reading. */
  keepRaw: boolean
  /** How long the device needs after opening before it hears commands; boards that reset on DTR: 2000. */
  settleMs: number
  /** Sent, with the delimiter, when measuring starts, e.g. `SET_RATE=100`. */
  startCommand?: string
  /** Sent, with the delimiter, when measuring is stopped. */
  stopCommand?: string
}

/** Binary frames: `start`, the values of `layout`, the checksum. */
export interface StructOptions {
  /** As Python's `struct` writes it, see `StructLayout`. */
  layout: string
  /** First bytes of each frame, 1 to 8, as hexadecimal digits; a length byte is one too, as the length never changes. */
  start: string
}

/** Filled in for whatever a configuration leaves out; `path` has no default. */
export const LINE_DEFAULTS = {
  baudRate: 115_200,
  dataBits: 8,
  parity: 'none',
  stopBits: 1,
  format: 'key-value',
  delimiter: '\n',
  maxLineBytes: 4096,
  skipFirstLine: true,
  keepRaw: false,
  settleMs: 0,
} as const satisfies Omit<LineOptions, 'path'>
