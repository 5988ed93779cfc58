import { type Priority, parsePriority } from '../model/priority.js'
import { MAX_RAW_BYTES } from '../model/sample.js'
import type { TelemetryTask } from '../model/task.js'
import { MAX_CHANNEL_CHARACTERS, MAX_DEVICE_CHARACTERS, MAX_UNIT_CHARACTERS } from './batch-wire.js'
import { count, type Fields, finite, invalidTask, isFields, optional, text } from './task-fields.js'
import { instantUs } from './task-instant.js'

/** The channels that the original payload names, and their units. */
export const KNOWN_CHANNELS: ReadonlyMap<string, string> = new Map([
  ['temperature', 'celsius'],
  ['humidity', 'percent'],
  ['pressure', 'hPa'],
  ['voltage', 'volt'],
  ['current', 'ampere'],
])

/** Bound of channels in one reading. */
export const MAX_CHANNELS = 64

/** Fields of a payload that are never channels of their own. `value` is one, named by `type` when that is there. */
export const PAYLOAD_FIELDS: ReadonlySet<string> = new Set([
  'device_id',
  'timestamp',
  'raw_data',
  'sequence_id',
  'sequence',
  'type',
  'unit',
  'priority',
  'metadata',
])

/** What a payload says: one reading of one device. */
export interface ParsedReading extends Pick<TelemetryTask, 'device' | 'takenAtUs' | 'sequence' | 'channels' | 'raw'> {
  /** `undefined` when the payload has none. */
  priority: Priority | undefined
}

type Channel = TelemetryTask['channels'][number]

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/

/**
 * Reads one reading out of parsed JSON or msgpack: the seed's payload (`device_id`, `timestamp`, `temperature`, ...,
 * `raw_data`), or the load test's body (`device_id`, `type`, `value`, `unit`, `priority`, `timestamp`, `metadata`).
 *
 * Every top-level number is a channel; known channels have their unit, others an empty one. Texts, lists and objects
 * that have no meaning here are passed over. `value` is the channel that `type` names, in `unit`; without `type` it is
 * channel `value`. A boolean `value` counts as 1 or 0 when its unit is `boolean`.
 *
 * @param nowUs the time of a reading that has no `timestamp`
 * @param path where the body stands, for messages, e.g. `payload.`
 * @throws TLM_TASK_INVALID naming the field, what was found and how it must be
 */
export function parseReading(body: unknown, nowUs: number, path = ''): ParsedReading {
  if (!isFields(body)) throw invalidTask(path === '' ? 'the body' : path.slice(0, -1), body, 'must be an object')
  const timestamp = optional(body, 'timestamp')
  return {
    device: text(optional(body, 'device_id'), `${path}device_id`, MAX_DEVICE_CHARACTERS),
    takenAtUs: timestamp === undefined ? nowUs : instantUs(timestamp, `${path}timestamp`),
    sequence: readSequence(body, path),
    channels: readChannels(body, path),
    raw: readRaw(optional(body, 'raw_data'), `${path}raw_data`),
    priority: readPriority(optional(body, 'priority'), `${path}priority`),
  }
}

/** @throws TLM_TASK_INVALID a priority that is none */
export function readPriority(value: unknown, field: string): Priority | undefined {
  if (value === undefined) return undefined
  const priority = parsePriority(value)
  if (priority !== undefined) return priority
  throw invalidTask(field, value, 'must be HIGH, NORMAL (also MEDIUM) or LOW, or 0, 1 or 2')
}

function readSequence(body: Fields, path: string): number {
  const name = optional(body, 'sequence_id') === undefined ? 'sequence' : 'sequence_id'
  return count(optional(body, name) ?? 0, path + name, 0xffff_ffff)
}

function readChannels(body: Fields, path: string): Channel[] {
  const channels: Channel[] = []
  for (const [name, value] of Object.entries(body)) {
    const isChannel = KNOWN_CHANNELS.has(name) || name === 'value' || typeof value === 'number'
    if (!isChannel || PAYLOAD_FIELDS.has(name)) continue
    if (channels.length === MAX_CHANNELS)
      throw invalidTask(path + shortName(name), value, `is one channel more than the ${MAX_CHANNELS} allowed`)
    channels.push(name === 'value' ? readNamedValue(body, path) : readChannel(name, value, path))
  }
  if (channels.length === 0) {
    const field = path === '' ? 'temperature or value' : `${path}temperature`
    throw invalidTask(field, undefined, 'or another channel must be there as a number')
  }
  const names = new Set(channels.map(({ channel }) => channel))
  if (names.size < channels.length) {
    throw invalidTask(`${path}type`, optional(body, 'type'), 'must not name a channel that has a field of its own')
  }
  return channels
}

function readChannel(name: string, value: unknown, path: string): Channel {
  const channel = text(name, `the name of ${path}${shortName(name)}`, MAX_CHANNEL_CHARACTERS)
  return { channel, unit: KNOWN_CHANNELS.get(name) ?? '', value: finite(value, path + name) }
}

function shortName(name: string): string {
  return name.slice(0, MAX_CHANNEL_CHARACTERS)
}

function readNamedValue(body: Fields, path: string): Channel {
  const type = optional(body, 'type')
  const channel = type === undefined ? 'value' : text(type, `${path}type`, MAX_CHANNEL_CHARACTERS)
  const unit = optional(body, 'unit') ?? KNOWN_CHANNELS.get(channel) ?? ''
  const value = unit === 'boolean' && typeof body.value === 'boolean' ? Number(body.value) : body.value
  return {
    channel,
    unit: unit === '' ? '' : text(unit, `${path}unit`, MAX_UNIT_CHARACTERS),
    value: finite(value, `${path}value`),
  }
}

function readRaw(value: unknown, field: string): Uint8Array | undefined {
  if (value === undefined || value === '') return undefined
  const isBase64 = typeof value === 'string' && BASE64.test(value) && value.replace(/=+$/, '').length % 4 !== 1
  if (!isBase64 && !(value instanceof Uint8Array)) throw invalidTask(field, value, 'must be base64')
  const bytes = Uint8Array.from(isBase64 ? Buffer.from(value, 'base64') : (value as Uint8Array))
  if (bytes.length > MAX_RAW_BYTES) throw invalidTask(field, bytes, `must have at most ${MAX_RAW_BYTES} bytes`)
  return bytes.length === 0 ? undefined : bytes
}
