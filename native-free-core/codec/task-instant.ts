import { parseIsoInstant } from '../time/iso-instant.js'
import { invalidTask } from './task-fields.js'

const EARLIEST_US = Date.UTC(1990, 0, 1) * 1000
const END_US = Date.UTC(2100, 0, 1) * 1000
/** Seconds, milliseconds, microseconds: from 1990 to 2100 their ranges do not meet, so the magnitude tells them apart. */
const US_PER_UNIT = [1_000_000, 1000, 1]
const DIGITS = /^\d{1,17}(?:\.\d{1,9})?$/

/**
 * An instant from 1990 to 2099 as integer microseconds since the Unix epoch. Taken are ISO 8601 (UTC unless it has an
 * offset), seconds, milliseconds or microseconds since the epoch as a number or as digits, and msgpack's timestamp.
 *
 * @throws TLM_TASK_INVALID anything else
 */
export function instantUs(value: unknown, field: string): number {
  const us = value instanceof Date ? value.getTime() * 1000 : readInstant(value)
  if (us !== undefined && us >= EARLIEST_US && us < END_US) return us
  const remedy = 'must be ISO 8601, or seconds, milliseconds or microseconds since 1970, of the years 1990 to 2099'
  throw invalidTask(field, value instanceof Date ? String(value) : value, remedy)
}

function readInstant(value: unknown): number | undefined {
  if (typeof value === 'string') return DIGITS.test(value) ? fromEpoch(Number(value)) : parseIsoInstant(value)
  return typeof value === 'number' ? fromEpoch(value) : undefined
}

function fromEpoch(value: number): number | undefined {
  const unit = US_PER_UNIT.find((us) => value * us >= EARLIEST_US && value * us < END_US)
  return unit === undefined ? undefined : Math.round(value * unit)
}
