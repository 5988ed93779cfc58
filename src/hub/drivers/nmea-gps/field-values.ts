/** Values of NMEA 0183 fields. `undefined`: the field is empty; NaN: it holds what it may not. */
import { parseDecimal } from '../text/decimal.js'

export function numberOf(field: string | undefined): number | undefined {
  if (field === undefined || field === '') return undefined
  return parseDecimal(field) ?? Number.NaN
}

/** Degrees out of `ddmm.mmmm` and N, S, E or W; south and west are below zero. */
export function angleOf(field: string, hemisphere: string): number | undefined {
  if (field === '') return undefined
  const isLatitude = hemisphere === 'N' || hemisphere === 'S'
  const match = (isLatitude ? /^(\d{2})(\d{2}(?:\.\d+)?)$/ : /^(\d{3})(\d{2}(?:\.\d+)?)$/).exec(field)
  if (match === null || !/^[NSEW]$/.test(hemisphere)) return Number.NaN
  const minutes = Number(match[2])
  const degrees = Number(match[1]) + minutes / 60
  if (minutes >= 60 || degrees > (isLatitude ? 90 : 180)) return Number.NaN
  return hemisphere === 'S' || hemisphere === 'W' ? -degrees : degrees
}

/** Milliseconds since midnight out of `hhmmss.ss`. */
export function timeOfDayMs(field: string): number | undefined {
  if (field === '') return undefined
  const match = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(\.\d+)?$/.exec(field)
  if (match === null) return Number.NaN
  const [, hours, minutes, seconds, fraction = '0'] = match
  return ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1000 + Math.round(Number(fraction) * 1000)
}

/** Midnight as milliseconds since 1970 out of day, month and year; two digits of a year mean 1980 to 2079. */
export function midnightMs(day: string, month: string, year: string): number | undefined {
  if (day === '' || month === '' || year === '') return undefined
  if (!/^\d\d \d\d (\d\d|\d{4})$/.test(`${day} ${month} ${year}`)) return Number.NaN
  const full = year.length === 4 ? Number(year) : Number(year) + (Number(year) < 80 ? 2000 : 1900)
  const date = new Date(Date.UTC(full, Number(month) - 1, Number(day)))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day) ? date.getTime() : Number.NaN
}
