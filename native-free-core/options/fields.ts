/**
 * Field types of options. Each takes YAML's typed values as well as the text of INI files, environment and flags, and
 * its messages name what is accepted. Nothing is clamped or guessed.
 */
import { z } from 'zod'

const BOOLEANS: Readonly<Record<string, boolean>> = {
  true: true,
  yes: true,
  on: true,
  '1': true,
  false: false,
  no: false,
  off: false,
  '0': false,
}
const DURATION_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
}
const SIZE_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 1024,
  MIB: 1048576,
  GIB: 1073741824,
}
const FREQUENCY_HZ: Readonly<Record<string, number>> = { '': 1, HZ: 1, KHZ: 1e3, MHZ: 1e6 }

/** A whole number in `min..max`. */
export function integer(min: number, max: number) {
  return scalar(`a whole number from ${min} to ${max}`, (raw) => {
    const value = asNumber(raw)
    return value !== undefined && Number.isSafeInteger(value) && value >= min && value <= max ? value : undefined
  })
}

/** A finite number in `min..max`. */
export function number(min: number, max: number) {
  return scalar(`a number from ${min} to ${max}`, (raw) => {
    const value = asNumber(raw)
    return value !== undefined && Number.isFinite(value) && value >= min && value <= max ? value : undefined
  })
}

/** true/false, yes/no, on/off, 1/0 in any case. */
export function flag() {
  return scalar('true or false', (raw) => BOOLEANS[String(raw).toLowerCase()])
}

/** Text of 1 to `maxLength` characters; numbers are taken as they are written. */
export function text(maxLength: number) {
  return scalar(`text of 1 to ${maxLength} characters`, (raw) => {
    const value = typeof raw === 'number' ? String(raw) : raw
    return typeof value === 'string' && value.length > 0 && value.length <= maxLength ? value : undefined
  })
}

/** One of a few words, in any case. */
export function oneOf<const Words extends readonly string[]>(...words: Words) {
  return scalar(`one of ${words.join(', ')}`, (raw): Words[number] | undefined =>
    words.find((word) => word.toLowerCase() === String(raw).toLowerCase()),
  )
}

/** A duration such as `250ms`, `2s`, `1.5h`; a bare number is taken as milliseconds. In milliseconds. */
export function durationMs(min: number, max: number) {
  return scalar(`a duration from ${min} ms to ${max} ms, such as 250ms, 2s or 24h`, (raw) => {
    const value = withUnit(raw, (unit) => (unit === '' ? 1 : DURATION_MS[unit.toLowerCase()]))
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/** So much a second, such as `2/s`, `30/min` or `5/h`; a bare number is taken as per second. Per second. */
export function perSecond(min: number, max: number) {
  return scalar(`so much per time from ${min} to ${max} a second, such as 2/s, 30/min or 5/h`, (raw) => {
    const match = /^\s*(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*(?:\/\s*(s|min|h))?\s*$/i.exec(String(raw))
    const value = match === null ? undefined : (Number(match[1]) * 1000) / DURATION_MS[(match[2] ?? 's').toLowerCase()]
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/** A size such as `64KiB` or `256MiB`; a bare number is taken as bytes. In bytes. */
export function byteSize(min: number, max: number) {
  return scalar(`a size from ${min} to ${max} bytes, such as 64KiB or 256MiB`, (raw) => {
    const value = withUnit(raw, (unit) => (unit === '' ? 1 : SIZE_BYTES[unit.toUpperCase()]))
    return value !== undefined && Number.isInteger(value) && value >= min && value <= max ? value : undefined
  })
}

/** A frequency such as `400kHz` or `1MHz`; a bare number is taken as hertz. In hertz. */
export function frequencyHz(min: number, max: number) {
  return scalar(`a frequency from ${min} Hz to ${max} Hz, such as 400kHz or 1MHz`, (raw) => {
    const value = withUnit(raw, (unit) => FREQUENCY_HZ[unit.toUpperCase()])
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/** A share such as `70%`; a bare number is taken as the share itself, e.g. 0.7. From `min` to `max`, at most 1. */
export function share(min: number, max: number) {
  return scalar(`a share from ${min * 100}% to ${max * 100}%, such as 70%`, (raw) => {
    const percent = /^\s*(\d+(?:\.\d+)?)\s*%\s*$/.exec(String(raw))
    const value = percent ? Number(percent[1]) / 100 : asNumber(raw)
    return value !== undefined && value >= min && value <= max ? value : undefined
  })
}

/** `host:port`, with the host in brackets when it is an IPv6 address. */
export function address() {
  return scalar('an address such as redis-1.example:6379 or [::1]:6379', (raw) => {
    const match = /^(?:\[([\da-f:.]+)\]|([^\s:[\]]{1,255})):(\d{1,5})$/i.exec(String(raw).trim())
    const port = Number(match?.[3])
    return match && port >= 1 && port <= 65_535 ? { host: match[1] ?? match[2]!, port } : undefined
  })
}

/** A list, or text with commas between its items. */
export function list<Item extends z.ZodType>(item: Item) {
  const split = (raw: unknown) => (typeof raw === 'string' ? raw.split(',').map((part) => part.trim()) : raw)
  return z.preprocess(split, z.array(item))
}

/** Keys below a key: `{ a: 1, b: 2 }`; unknown ones are errors. */
export function group<const Shape extends Readonly<Record<string, z.ZodType>>>(shape: Shape) {
  return z.strictObject(shape)
}

/** A list of groups, of `min` to `max` items. */
export function listOf<Item extends z.ZodType>(item: Item, min: number, max: number) {
  return z.array(item).min(min).max(max)
}

/** Groups by names that the user chooses. */
export function named<Item extends z.ZodType>(item: Item, maxNameLength: number) {
  return z.record(text(maxNameLength), item)
}

/** One kind of value or another, tried in this order. */
export function either<const Kinds extends readonly [z.ZodType, z.ZodType, ...z.ZodType[]]>(...kinds: Kinds) {
  return z.union(kinds)
}

function scalar<T>(expected: string, read: (raw: unknown) => T | undefined) {
  return z.unknown().transform((raw, context): T => {
    const value = typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean' ? read(raw) : undefined
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `expected ${expected}` })
    return z.NEVER
  })
}

function asNumber(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw
  if (typeof raw !== 'string' || !/^[+-]?(\d|\.\d|0x[\da-f])/i.test(raw.trim())) return undefined
  return Number(raw.trim())
}

function withUnit(raw: unknown, factorOf: (unit: string) => number | undefined): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(String(raw))
  const factor = match && factorOf(match[2]!)
  return factor ? Number(match[1]) * factor : undefined
}
