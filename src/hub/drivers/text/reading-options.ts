import type { QualityName } from '#core/model/quality'
import type { LineFormat } from './fields.js'
import type { TimeFormat } from './timestamp.js'

/** One value taken out of each line. */
export interface ValueColumn {
  /** Name in `fields` or the header (csv, whitespace), key (key-value) or dotted path (json). */
  field: string
  /** Default: `field`. At most 64 characters. */
  channel?: string
  /** Default: empty. At most 32 characters. */
  unit?: string
  /** How far this column may be trusted. Default: `good`. */
  quality?: QualityName
}

/** Where a line says when it was taken. */
export interface TimeColumn {
  /** One field, or several (`['date', 'time']`) joined by a blank. */
  fields: readonly string[]
  format: TimeFormat
  /** What texts without an offset of their own are ahead of UTC. Default 0. */
  utcOffsetMinutes?: number
}

/** How one line of text becomes one reading; shared by the serial and the replay driver. */
export interface ReadingOptions {
  format: LineFormat
  /** Separator of `csv`. Default `,`. */
  separator?: string
  /** Of `regex`: a regular expression whose named groups are the fields; lines that do not match are rejected. */
  pattern?: string
  /** Names of the fields by position (csv, whitespace). A line with another number of fields is refused whole. */
  fields?: readonly string[]
  /** Values to take. Default: every numeric field but the time, up to 64, each a channel of its own name. */
  columns?: readonly ValueColumn[]
  /** Default: the time of the read. */
  time?: TimeColumn
}
