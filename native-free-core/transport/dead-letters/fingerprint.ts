import { createHash } from 'node:crypto'

/** What differs between two deaths of the same cause, in the order in which it is looked for. */
const VARIABLE_PARTS: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?/g, '<time>'],
  [/\b(0x)?(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{6,}\b/gi, '<id>'],
  [/((?<!\w)[-+])?\d+(\.\d+)*(e[-+]?\d+)?/gi, '#'],
]

/** Longer messages differ in their ends without differing in their cause. Characters. */
const COMPARED_LENGTH = 500

/** The message with numbers, times and ids masked. */
export function maskMessage(message: string): string {
  let masked = message.slice(0, COMPARED_LENGTH)
  for (const [pattern, mask] of VARIABLE_PARTS) masked = masked.replace(pattern, mask)
  return masked
}

/**
 * Names what a batch died of: the same for the same class and a message that differs in numbers, times and ids only.
 * Stable across versions, hosts and restarts. 16 hexadecimal digits.
 */
export function fingerprintOf(kind: string, message: string): string {
  return createHash('sha256')
    .update(`${kind}\n${maskMessage(message)}`)
    .digest('hex')
    .slice(0, 16)
}
