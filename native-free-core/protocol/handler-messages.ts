/** What the processor's main thread and a handler thread (Piscina) say to each other; both sides import this file. */
import type { PortableError } from '../errors/telemetry-error.js'
import type { Finding } from '../model/finding.js'

/** One entry as a handler thread gets it. */
export interface HandlerEntry {
  id: string
  correlationId: string
  /** `*`, or the one handler type that the entry asks for. */
  handler: string
  body: Uint8Array
}

/**
 * One run over consecutive entries of one shard, in order. The shard's state is in shared memory; the in-flight rule
 * (one run per shard at a time) makes it the run's own.
 */
export interface HandlerRequest {
  shard: number
  entries: HandlerEntry[]
  /** Shared memory of the shard's state; absent on the first run of an owner, who then sends `rows`. */
  state?: SharedArrayBuffer
  /** Saved state of the shard, from which the run builds the shared memory. */
  rows?: ReadonlyMap<string, Uint8Array>
  /** Ask for the rows changed since the last checkpoint, in {@link HandlerReply.rows}. */
  checkpoint: boolean
}

export interface HandlerEntryResult {
  id: string
  /** Samples that handlers took in. */
  samples: number
  /** Samples that handlers refused, by reason. */
  rejected: Readonly<Record<string, number>>
  /** Earliest and latest `takenAtUs` of the entry; 0 when it could not be read. */
  firstTakenAtUs: number
  lastTakenAtUs: number
  /** Set when the entry cannot be processed; it then had no effect on the state. */
  error?: PortableError
}

/** A sealed batch for `telemetry.store`: kept whole, found again by series and time. */
export interface StoredChunk {
  /** Correlation id of the batch: the primary key, so that storing again changes nothing. */
  key: string
  samples: number
  firstTakenAtUs: number
  lastTakenAtUs: number
  /** `device/channel` of every series inside. */
  series: string[]
  body: Uint8Array
}

export interface HandlerReply {
  results: HandlerEntryResult[]
  findings: Finding[]
  chunks: StoredChunk[]
  /** The shard's state: the request's, or a larger copy when series were added. */
  state: SharedArrayBuffer
  /** Present when the request asked for a checkpoint. */
  rows?: Map<string, Uint8Array>
}

/** `workerData` of a handler thread. */
export interface HandlerWorkerData {
  handlers: readonly HandlerSpec[]
}

/** One configured handler. */
export interface HandlerSpec {
  /** E.g. `telemetry.alert`. */
  type: string
  /** Options of that handler, already checked by its own reader in the main thread. */
  options: Readonly<Record<string, unknown>>
  /** `file:` URL of a module with a user's handler; absent for the built-in ones. */
  moduleUrl?: string
}
