import { TelemetryError } from '../errors/telemetry-error.js'

/** A JSON object, or a msgpack map. */
export type Fields = Readonly<Record<string, unknown>>

const MAX_SHOWN_CHARACTERS = 60
/** Half a pair: UTF-8 cannot say it. */
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * The error for one field of a task.
 *
 * @param field its path, e.g. `payload.device_id`
 * @param remedy how it must be, e.g. `must be a finite number`
 */
export function invalidTask(field: string, found: unknown, remedy: string): TelemetryError {
  const shown = show(found)
  return new TelemetryError('TLM_TASK_INVALID', `Task: ${field} ${shown}; it ${remedy}.`, { field, found: shown })
}

/** What was found, short enough for a log. */
function show(found: unknown): string {
  if (found === undefined) return 'is missing'
  if (found === null) return 'is null'
  if (typeof found === 'string') {
    return found.length > MAX_SHOWN_CHARACTERS
      ? `is a text of ${found.length} characters`
      : `is ${JSON.stringify(found)}`
  }
  if (typeof found === 'number' || typeof found === 'boolean') return `is ${found}`
  if (Array.isArray(found)) return 'is a list'
  return found instanceof Uint8Array ? `is ${found.length} bytes of binary` : 'is an object'
}

export function isFields(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array) &&
    !(value instanceof Date)
  )
}

/** An own field; null counts as absent. */
export function optional(fields: Fields, name: string): unknown {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined
  return value === null ? undefined : value
}

/**
 * A text of 1 to `maxCharacters` characters.
 *
 * @throws TLM_TASK_INVALID anything else
 */
export function text(value: unknown, field: string, maxCharacters: number): string {
  if (typeof value === 'string' && value !== '' && value.length <= maxCharacters && !LONE_SURROGATE.test(value)) {
    return value
  }
  throw invalidTask(field, value, `must be a text of 1 to ${maxCharacters} characters`)
}

/** @throws TLM_TASK_INVALID not a whole number from 0 to `max` */
export function count(value: unknown, field: string, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value
  throw invalidTask(field, value, `must be a whole number from 0 to ${max}`)
}

/** @throws TLM_TASK_INVALID not a finite number */
export function finite(value: unknown, field: string): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw invalidTask(field, value, 'must be a finite number, or be left out')
}
