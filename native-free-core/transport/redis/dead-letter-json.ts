import { isUtf8 } from 'node:buffer'

/**
 * A task that could not be taken in, as an operator finds it: `{class, message, receivedAt, task}`, the task as text, or
 * in base64 with `"encoding":"base64"` when it is no UTF-8.
 *
 * @param receivedAtMs when the task was taken from the list; ISO 8601 in the JSON
 */
export function deadLetterJson(kind: string, message: string, receivedAtMs: number, task: Uint8Array): string {
  const bytes = Buffer.from(task.buffer, task.byteOffset, task.byteLength)
  const receivedAt = new Date(receivedAtMs).toISOString()
  const about = { class: kind, message: message.slice(0, 2048), receivedAt }
  return isUtf8(bytes)
    ? JSON.stringify({ ...about, task: bytes.toString('utf8') })
    : JSON.stringify({ ...about, task: bytes.toString('base64'), encoding: 'base64' })
}
