import { parseDecimal } from './decimal.js'

/**
 * `iso`: `2015-01-09T07:30:07.25+01:00`, a blank in place of `T`, fraction and offset optional;
 * `unix-s`, `unix-ms`, `unix-us`: a number since the Unix epoch, with fraction.
 */
export type TimeFormat = 'iso' | 'unix-s' | 'unix-ms' | 'unix-us'

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|[+-]\d\d:?\d\d)?$/
const US_PER_UNIT = { 'unix-s': 1_000_000, 'unix-ms': 1000, 'unix-us': 1 } as const

/**
 * Reads an instant as integer microseconds since the Unix epoch; `undefined` when the text is no such instant.
 *
 * @param utcOffsetMinutes what an `iso` text without an offset of its own is ahead of UTC
 */
export function parseTimestamp(text: string, format: TimeFormat, utcOffsetMinutes = 0): number | undefined {
  if (format === 'iso') return parseIso(text, utcOffsetMinutes)
  const value = parseDecimal(text)
  return value === undefined ? undefined : Math.round(value * US_PER_UNIT[format])
}

function parseIso(text: string, utcOffsetMinutes: number): number | undefined {
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset] = match
  if (+hour > 23 || +minute > 59 || +second > 60) return undefined
  const dayMs = Date.UTC(+year, +month - 1, +day)
  // Date.UTC rolls the 31st of June over into July; a day that does not come back was none.
  if (new Date(dayMs).getUTCDate() !== +day || new Date(dayMs).getUTCMonth() !== +month - 1) return undefined
  const seconds = dayMs / 1000 + +hour * 3600 + +minute * 60 + +second
  const ahead = offset === undefined ? utcOffsetMinutes : offsetMinutes(offset)
  return (seconds - ahead * 60) * 1_000_000 + Math.round(+`0.${fraction || '0'}` * 1_000_000)
}

function offsetMinutes(offset: string): number {
  if (offset === 'Z') return 0
  const minutes = +offset.slice(1, 3) * 60 + +offset.slice(-2)
  return offset.startsWith('-') ? -minutes : minutes
}
