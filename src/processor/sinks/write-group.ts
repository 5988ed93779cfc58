import type { Finding } from '#core/model/finding'
import type { SinkRows } from '#core/protocol/sink-messages'

/** A write that waits for its commit. */
export interface QueuedWrite {
  rows: SinkRows
  bytes: number
  resolve(): void
  reject(error: unknown): void
}

/** A finding's row without its key and body, with its index entries; measured on real findings, roughly. */
const FINDING_BYTES = 400

/** About what the rows take in memory and messages. Bytes. */
export function sizeOf({ findings, chunks }: SinkRows): number {
  let bytes = findings.length * FINDING_BYTES
  for (const { body } of chunks) bytes += body.byteLength
  return bytes
}

/** One commit for many writes; of findings with the same key only the one that would be left is kept. */
export function mergeRows(writes: readonly QueuedWrite[]): SinkRows {
  if (writes.length === 1) return writes[0].rows
  const findings = new Map<string, Finding>()
  for (const { rows } of writes) {
    for (const finding of rows.findings) {
      const known = findings.get(finding.key)
      if (known === undefined || finding.revision >= known.revision) findings.set(finding.key, finding)
    }
  }
  return { findings: [...findings.values()], chunks: writes.flatMap(({ rows }) => rows.chunks) }
}
