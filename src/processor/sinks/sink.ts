import type { TelemetryError } from '#core/errors/telemetry-error'
import type { SinkWrite } from './write-group.js'

/**
 * Where findings and stored batches go. Thread: the processor's main thread; the sink does its work elsewhere.
 *
 * Writes become durable in the order of the calls.
 */
export interface Sink {
  /**
   * Resolves when the rows are durable. While the sink fails, the same rows are tried again, so this may take as long as
   * the failure does. The bytes are transferred: they are gone from the caller.
   *
   * @throws TLM_SINK_FAILED the rows are lost to the sink (its thread died, or it was closed): produce them again
   */
  write(rows: SinkWrite): Promise<void>
  /** Resolves when the queue has room: to be awaited before rows for the next write are made. */
  room(): Promise<void>
  /** The failure that writes are held up by; `undefined` while all is well. */
  readonly failure: TelemetryError | undefined
  readonly counters: SinkCounters
  /** Finishes what was written, by `deadlineMs` at the latest, and rejects what is left. */
  close(deadlineMs: number): Promise<void>
}

export interface SinkCounters {
  commits: number
  failedCommits: number
  /** Bytes of findings and chunks that wait, about. */
  queuedBytes: number
}
