import { TelemetryError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'

const MAX_FINDINGS = 1000
const MAX_KEY_CHARACTERS = 512
const MAX_BODY_BYTES = 16 * 1024
const MAX_TOTAL_BYTES = 1024 * 1024

/**
 * Checks what a user's handler returned and takes plain copies of it.
 *
 * @throws TLM_HANDLER_FAILED naming the finding and the field that is wrong
 */
export function checkUserFindings(type: string, returned: unknown, batch: string): Finding[] {
  if (returned === undefined) return []
  if (isThenable(returned)) {
    // Nobody waits for it: that it may fail later must not end the thread.
    Promise.resolve(returned).catch(() => {})
    throw failed(type, 'it returned a promise', 'return the findings themselves')
  }
  if (typeof returned !== 'object' || returned === null || !(Symbol.iterator in returned)) {
    throw failed(type, `it returned ${typeof returned}`, 'return a list of findings, or nothing')
  }
  const findings: Finding[] = []
  let bytes = 0
  for (const draft of returned as Iterable<unknown>) {
    if (findings.length === MAX_FINDINGS) throw failed(type, 'more than 1000 findings of a batch', 'return fewer')
    const body = jsonOf(type, findings.length, draft)
    bytes += body.length
    if (bytes > MAX_TOTAL_BYTES) throw failed(type, 'findings of more than 1 MiB of a batch', 'return less')
    findings.push(checkFinding(type, findings.length, draft as Record<string, unknown>, body, batch))
  }
  return findings
}

export function failed(type: string, reason: string, fix: string): TelemetryError {
  return new TelemetryError('TLM_HANDLER_FAILED', `Handler ${type}: ${reason}. Fix: ${fix}.`, { handler: type })
}

function checkFinding(
  type: string,
  index: number,
  { key, revision = 0, device, channel, atUs }: Record<string, unknown>,
  body: string,
  batch: string,
): Finding {
  const wrong = (field: string, expected: string) =>
    failed(type, `finding ${index} has no valid ${field}`, `give ${expected}`)
  const prefix = `${type}/`
  if (typeof key !== 'string' || !key.startsWith(prefix) || key.length > MAX_KEY_CHARACTERS) {
    throw wrong('key', `text of at most ${MAX_KEY_CHARACTERS} characters that begins with ${prefix}`)
  }
  if (!Number.isSafeInteger(revision) || (revision as number) < 0) throw wrong('revision', 'a whole number from 0')
  if (typeof device !== 'string' || device.length > 128) throw wrong('device', 'text of at most 128 characters')
  if (typeof channel !== 'string' || channel.length > 64) throw wrong('channel', 'text of at most 64 characters')
  if (!Number.isSafeInteger(atUs)) throw wrong('atUs', 'whole microseconds since the Unix epoch')
  const result = JSON.parse(body) as Record<string, unknown>
  return {
    key,
    revision: revision as number,
    handler: type,
    device,
    channel,
    atUs: atUs as number,
    batch,
    body: result,
  }
}

function jsonOf(type: string, index: number, draft: unknown): string {
  const body: unknown = typeof draft === 'object' && draft !== null ? (draft as { body?: unknown }).body : undefined
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw failed(type, `finding ${index} has no body`, 'give an object with the result')
  }
  let json: string | undefined
  try {
    json = JSON.stringify(body)
  } catch (error) {
    throw failed(
      type,
      `finding ${index} has a body that is not JSON (${(error as Error).message})`,
      'give plain values',
    )
  }
  if (!json?.startsWith('{'))
    throw failed(type, `finding ${index} has a body that is not an object`, 'give plain values')
  if (Buffer.byteLength(json) > MAX_BODY_BYTES) {
    throw failed(type, `finding ${index} has a body of more than ${MAX_BODY_BYTES} bytes`, 'give a shorter one')
  }
  return json
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
}
