import { PRIORITY_NAMES } from '../model/priority.js'
import type { TelemetryTask } from '../model/task.js'
import { formatIsoInstant } from '../time/iso-instant.js'
import { finite, invalidTask } from './task-fields.js'
import { KNOWN_CHANNELS, PAYLOAD_FIELDS } from './task-reading.js'

/**
 * The JSON of a task in the seed's exact shape and order: `id`, `type`, `payload` (`device_id`, `timestamp`, the known
 * channels, further channels, `raw_data`), `priority`, `max_retries`. `parseTask` reads it back, but for what the shape
 * has no place for: sequence, and units other than the known channels'.
 *
 * @throws TLM_TASK_INVALID a channel cannot be a field of the payload: its name is one of the payload's own fields or
 *   occurs twice, or its value is not finite
 */
export function formatTask({
  id,
  type,
  priority,
  maxRetries,
  device,
  takenAtUs,
  channels,
  raw,
}: TelemetryTask): string {
  const values = new Map<string, number>()
  for (const { channel, value } of channels) {
    const field = `payload.${channel}`
    if (PAYLOAD_FIELDS.has(channel)) throw invalidTask(field, value, 'is a field of every payload, rename the channel')
    if (values.has(channel)) throw invalidTask(field, value, 'is there twice, a task has one value per channel')
    values.set(channel, finite(value, field))
  }
  const fields = [member('device_id', device), member('timestamp', formatIsoInstant(takenAtUs))]
  for (const name of KNOWN_CHANNELS.keys()) if (values.has(name)) fields.push(member(name, values.get(name)))
  for (const [name, value] of values) if (!KNOWN_CHANNELS.has(name)) fields.push(member(name, value))
  if (raw !== undefined) fields.push(member('raw_data', Buffer.from(raw).toString('base64')))
  // By hand: objects put names that look like numbers first, and lose one called __proto__.
  const head = `${member('id', id)},${member('type', type)},"payload":{${fields.join(',')}}`
  return `{${head},${member('priority', PRIORITY_NAMES[priority].toUpperCase())},${member('max_retries', maxRetries)}}`
}

function member(name: string, value: unknown): string {
  return `${JSON.stringify(name)}:${JSON.stringify(value)}`
}
