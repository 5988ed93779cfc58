import type { StoredChunk } from '#core/protocol/handler-messages'
import type { PackedFindings } from '#core/protocol/packed-findings'

/** What one run gives a sink to write. */
export interface SinkWrite {
  findings: PackedFindings
  chunks: readonly StoredChunk[]
}

/** A write that waits for its commit. */
export interface QueuedWrite extends SinkWrite {
  bytes: number
  resolve(): void
  reject(error: unknown): void
}

/** What the write takes in memory and messages. Bytes. */
export function sizeOf({ findings, chunks }: SinkWrite): number {
  let bytes = findings.json.byteLength
  for (const { body } of chunks) bytes += body.byteLength
  return bytes
}
