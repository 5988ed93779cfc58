/** Tasks that anybody pushes: read in every dialect there is, written in the seed's. See `docs/protocol.md`. */
import { PRIORITY } from '../model/priority.js'
import type { TelemetryTask } from '../model/task.js'
import { readJson, readTaskBody } from './task-body.js'
import { count, type Fields, optional, text } from './task-fields.js'
import { instantUs } from './task-instant.js'
import { parseReading, readPriority } from './task-reading.js'

export { MAX_TASK_BYTES } from './task-body.js'
export { formatTask } from './task-format.js'
export { KNOWN_CHANNELS, MAX_CHANNELS, type ParsedReading, parseReading } from './task-reading.js'

const MAX_ID_CHARACTERS = 128
const MAX_TYPE_CHARACTERS = 64
const DEFAULT_MAX_RETRIES = 3
const MAX_MAX_RETRIES = 1000

/**
 * Reads one task of at most 64 KiB, as JSON or msgpack, in the seed's dialect (`payload` an object, `priority` a name) or
 * the original code's (`payload` a text that holds JSON, `priority` 0, 1 or 2, `created_at` in seconds), or any mixture.
 *
 * Required are `type` (1 to 64 characters, known or not) and `payload`, see {@link parseReading}. The time is the
 * payload's `timestamp`, else the task's `created_at`, else `nowUs`. `id` is made up when absent, `priority` is NORMAL
 * unless task or payload say otherwise, `max_retries` 3. Null counts as absent, and unknown fields are passed over.
 *
 * @throws TLM_TASK_INVALID naming the field, what was found and how it must be
 */
export function parseTask(body: Uint8Array, nowUs: number): TelemetryTask {
  const fields = readTaskBody(body)
  const id = optional(fields, 'id')
  const type = text(optional(fields, 'type'), 'type', MAX_TYPE_CHARACTERS)
  const priority = readPriority(optional(fields, 'priority'), 'priority')
  const maxRetries = count(optional(fields, 'max_retries') ?? DEFAULT_MAX_RETRIES, 'max_retries', MAX_MAX_RETRIES)
  const createdAt = optional(fields, 'created_at')
  const createdAtUs = createdAt === undefined ? nowUs : instantUs(createdAt, 'created_at')
  const { priority: payloadPriority, ...reading } = parseReading(payloadOf(fields), createdAtUs, 'payload.')
  return {
    id: id === undefined ? crypto.randomUUID() : text(id, 'id', MAX_ID_CHARACTERS),
    type,
    priority: priority ?? payloadPriority ?? PRIORITY.normal,
    maxRetries,
    ...reading,
  }
}

function payloadOf(fields: Fields): unknown {
  const payload = optional(fields, 'payload')
  return typeof payload === 'string' ? readJson(payload, 'payload') : payload
}
