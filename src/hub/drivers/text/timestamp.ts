import { parseIsoInstant } from '#core/time/iso-instant'
import { parseDecimal } from './decimal.js'

/**
 * `iso`: `2015-01-09T07:30:07.25+01:00`, a blank in place of `T`, fraction and offset optional;
 * `unix-s`, `unix-ms`, `unix-us`: a number since the Unix epoch, with fraction.
 */
export type TimeFormat = 'iso' | 'unix-s' | 'unix-ms' | 'unix-us'

const US_PER_UNIT = { 'unix-s': 1_000_000, 'unix-ms': 1000, 'unix-us': 1 } as const

/**
 * Reads an instant as integer microseconds since the Unix epoch; `undefined` when the text is no such instant.
 *
 * @param utcOffsetMinutes what an `iso` text without an offset of its own is ahead of UTC
 */
export function parseTimestamp(text: string, format: TimeFormat, utcOffsetMinutes = 0): number | undefined {
  if (format === 'iso') return parseIsoInstant(text, utcOffsetMinutes)
  const value = parseDecimal(text)
  return value === undefined ? undefined : Math.round(value * US_PER_UNIT[format])
}
