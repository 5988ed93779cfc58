import { Unpackr } from 'msgpackr'
import { messageOf } from '../errors/telemetry-error.js'
import { findStructureProblem } from './msgpack-structure.js'
import { type Fields, invalidTask, isFields } from './task-fields.js'

/** Bound of one task in bytes, JSON or msgpack. */
export const MAX_TASK_BYTES = 65_536

const STRUCTURE_LIMITS = { maxDepth: 16, maxItems: 8192 }
const MAP_16 = 0xde
const MAP_32 = 0xdf

const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number' })
const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The object that the bytes of a task hold, as JSON or, when they begin like one of its maps, as msgpack.
 *
 * @throws TLM_TASK_INVALID they hold none, or are too many
 */
export function readTaskBody(body: Uint8Array): Fields {
  if (body.length === 0) throw invalidTask('the body', undefined, 'must be a JSON object or a msgpack map')
  if (body.length > MAX_TASK_BYTES) {
    throw invalidTask('the body', body, `must have at most ${MAX_TASK_BYTES} bytes; push long recordings as many tasks`)
  }
  const first = body[0]
  const isMap = (first & 0xf0) === 0x80 || first === MAP_16 || first === MAP_32
  return isMap ? readMsgpack(body) : readJson(decodeUtf8(body), 'the body')
}

/** @throws TLM_TASK_INVALID not the JSON of an object */
export function readJson(json: string, field: string): Fields {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw invalidTask(field, json, `must be JSON or msgpack without extensions (${messageOf(error)})`)
  }
  if (!isFields(value)) throw invalidTask(field, value, 'must be an object')
  return value
}

function decodeUtf8(body: Uint8Array): string {
  try {
    return utf8.decode(body)
  } catch {
    throw invalidTask('the body', body, 'must be JSON in UTF-8, or a msgpack map')
  }
}

function readMsgpack(body: Uint8Array): Fields {
  const unsound = findStructureProblem(body, STRUCTURE_LIMITS)
  if (unsound !== undefined) {
    throw invalidTask('the body', body, `must be sound msgpack: ${unsound.problem} at byte ${unsound.offset}`)
  }
  try {
    return unpackr.unpack(body) as Fields
  } catch (error) {
    throw invalidTask('the body', body, `must be msgpack (${messageOf(error)})`)
  }
}
