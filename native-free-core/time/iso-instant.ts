const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)? ?(Z|[+-]\d\d:?\d\d)?$/
const US_PER_SECOND = 1_000_000

/**
 * Reads `2015-01-09T07:30:07.25+01:00` (a blank in place of `T`; time, fraction and offset optional) as integer
 * microseconds since the Unix epoch; `undefined` when the text is no such instant, or a day or hour that does not exist.
 *
 * @param utcOffsetMinutes what a text without an offset of its own is ahead of UTC
 */
export function parseIsoInstant(text: string, utcOffsetMinutes = 0): number | undefined {
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', offset] = match
  if (+hour > 23 || +minute > 59 || +second > 60) return undefined
  const dayMs = Date.UTC(+year, +month - 1, +day)
  // Date.UTC rolls the 31st of June over into July; a day that does not come back was none.
  if (new Date(dayMs).getUTCDate() !== +day || new Date(dayMs).getUTCMonth() !== +month - 1) return undefined
  const seconds = dayMs / 1000 + +hour * 3600 + +minute * 60 + +second
  const ahead = offset === undefined ? utcOffsetMinutes : offsetMinutes(offset)
  return (seconds - ahead * 60) * US_PER_SECOND + Math.round(+`0.${fraction || '0'}` * US_PER_SECOND)
}

/** `2025-12-26T10:30:00Z`, with three or six digits of fraction when the instant has any. */
export function formatIsoInstant(instantUs: number): string {
  const us = ((instantUs % US_PER_SECOND) + US_PER_SECOND) % US_PER_SECOND
  const second = new Date((instantUs - us) / 1000).toISOString().slice(0, -5)
  if (us === 0) return `${second}Z`
  const digits = String(us).padStart(6, '0')
  return `${second}.${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`
}

function offsetMinutes(offset: string): number {
  if (offset === 'Z') return 0
  const minutes = +offset.slice(1, 3) * 60 + +offset.slice(-2)
  return offset.startsWith('-') ? -minutes : minutes
}
