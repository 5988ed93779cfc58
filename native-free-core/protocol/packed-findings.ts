/**
 * Findings on their way from a handler thread to a sink's: written once and read once. The main thread between them only
 * passes them on, and pays for a transfer instead of two structured clones of every finding.
 */
import type { Finding } from '../model/finding.js'

export interface PackedFindings {
  count: number
  /** How many, by handler type. */
  byHandler: Readonly<Record<string, number>>
  /** JSON, in a buffer of its own that may be transferred; empty when there are none. */
  json: Uint8Array
}

/** Thread: a handler's. */
export function packFindings(findings: readonly Finding[]): PackedFindings {
  const byHandler: Record<string, number> = {}
  for (const { handler } of findings) byHandler[handler] = (byHandler[handler] ?? 0) + 1
  const json = findings.length === 0 ? new Uint8Array(0) : new TextEncoder().encode(JSON.stringify(findings))
  return { count: findings.length, byHandler, json }
}

/** Thread: a sink's. */
export function unpackFindings(json: Uint8Array): Finding[] {
  return json.byteLength === 0 ? [] : (JSON.parse(new TextDecoder().decode(json)) as Finding[])
}
