/** What the processor's main thread and a handler thread (Piscina) say to each other; both sides import this file. */
import type { PortableError } from '../errors/telemetry-error.js'
import type { Finding } from '../model/finding.js'
import type { ItemRange } from '../policy/bisection.js'
import type { SealedBatch } from '../transport/batch-stream.js'
import type { PackedFindings } from './packed-findings.js'

/**
 * Entries on their way to a thread: the bodies of all of them lie in one buffer, which is transferred. (A view of a
 * larger buffer would be cloned with all of it.)
 */
export interface PackedEntry {
  id: string
  /** Where the entry's body lies in `bodies`, in bytes. */
  offset: number
  length: number
}

/** One leased batch as a handler thread gets it. */
export interface HandlerEntry extends PackedEntry {
  correlationId: string
  /** `*`, or the one handler type that the entry asks for. */
  handler: string
  /** A user's handler that is left out although the entry asks for all. */
  skip?: string
  /**
   * The entry's last attempt: where a user's handler throws, its samples are tried in parts, so that only those on which
   * it throws are left out, see {@link HandlerEntryResult.dead}.
   */
  isolate?: boolean
  /** What earlier runs found out: users' handlers get these parts one by one, and samples in none of them are left out. */
  parts?: readonly ItemRange[]
}

/**
 * `run` of the handler worker: consecutive entries of one shard, in order. The shard's state is in shared memory; the
 * in-flight rule (one run per shard at a time) makes it the run's own.
 *
 * When the run rejects, or its thread ends, the state may be half changed: the owner drops it, settles nothing that came
 * after its last checkpoint, and begins again from the rows that were saved.
 */
export interface HandlerRequest {
  shard: number
  /** May be empty when only a checkpoint is asked for. */
  entries: HandlerEntry[]
  bodies: Uint8Array
  /** Correlation id of the owner's last entry before these: the batch that held-back findings name in a run without any. */
  lastCorrelationId?: string
  /** Shared memory of the shard's state; absent on the first run of an owner, who then sends `rows`. */
  state?: SharedArrayBuffer
  /** Saved state of the shard, from which the run builds the shared memory. */
  rows?: ReadonlyMap<string, Uint8Array>
  /** Ask for the rows changed since the last checkpoint, in {@link HandlerReply.rows}, and for all findings held back. */
  checkpoint: boolean
  /** Only whether the run ends and what fails is of interest: the reply has neither findings nor bodies. */
  isProbe?: boolean
  /** Where the thread writes what it is at, see `run-marker`; whoever dispatches the run adds it. */
  marker?: SharedArrayBuffer
}

/** A sample that a handler cannot be run on: a batch of its own, and where in its entry it was. */
export interface DeadSample {
  /** Index of the sample in the batch. */
  row: number
  device: string
  channel: string
  takenAtUs: number
  /** A batch of this one sample in a buffer of its own, transferred. */
  body: Uint8Array
  /** What the handler threw; absent for a sample in none of {@link HandlerEntry.parts}. */
  error?: PortableError
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
  /** Samples that were left out, ascending; all others of the entry took effect. */
  dead?: DeadSample[]
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
  /** A buffer of its own, transferred. */
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
  /**
   * Of {@link HandlerRequest.rows}, by handler type: series whose saved state of that handler does not fit its present
   * configuration or version, so that it starts anew; `row` counts rows that could not be read. Absent when all were kept.
   */
  restarted?: Readonly<Record<string, number>>
}

/** A reply as it leaves the handler's thread. */
export interface PackedReply extends Omit<HandlerReply, 'findings'> {
  findings: PackedFindings
}

/** `ingest` of the handler worker: tasks that anybody pushed become sealed batches. */
export interface IngestRequest {
  /** Task bodies in order of arrival, see `codec/task-json`. */
  entries: (PackedEntry & { seq: number })[]
  bodies: Uint8Array
  shards: number
  /** Batches are numbered per `producer.handler.priority`, so that each numbering is of tasks in order of arrival. */
  producer: string
  epoch: number
  /** By {@link highWaterKey}: tasks up to this seq are in the stream already and give nothing. Absent: 0. */
  highWaterSeqs: ReadonlyMap<string, number>
}

/** Names one numbering of batches within {@link IngestRequest.highWaterSeqs}. */
export function highWaterKey(producer: string, shard: number): string {
  return `${producer}@${shard}`
}

export interface IngestReply {
  /** At most one per (shard, priority, handler); `seq` is that of its last task, `after` the known high water. */
  batches: SealedBatch[]
  rejected: { id: string; error: PortableError }[]
}

/** `workerData` of a handler thread. */
export interface HandlerWorkerData {
  handlers: readonly HandlerSpec[]
}

/** One configured handler. */
export interface HandlerSpec {
  /** E.g. `telemetry.alert`. */
  type: string
  /** Options of that handler, already checked by `readHandlerOptions` in the main thread; a user's handler checks its own. */
  options: Readonly<Record<string, unknown>>
  /** `file:` URL of a module with a user's handler; absent for the built-in ones. */
  moduleUrl?: string
}
