/** The contract for finding out where one batch is. */
import type { Priority } from '../model/priority.js'
import type { DeadLetter } from './dead-letters.js'

/** What the store knows of a batch that is not settled, wherever it waits. */
export interface LiveBatch {
  priority: Priority
  /** Wall time at which it came to where it is, milliseconds; `undefined` when that is not written down. */
  storedAtMs: number | undefined
  /** Handler attempts that failed. */
  attempts: number
  /** Times that it was handed to an owner. */
  deliveries: number
  /** Times that it was replayed from the dead letters. */
  generation: number
  samples: number
  bytes: number
}

/**
 * - `waiting`: nobody has it
 * - `in-flight`: the owner has read it, and perhaps runs it
 * - `delayed`: it failed and waits for its next try
 */
export type BatchPlace =
  | ({ kind: 'waiting' } & LiveBatch)
  | ({ kind: 'in-flight'; owner: string; forMs: number | undefined } & LiveBatch)
  | ({ kind: 'delayed'; dueAtMs: number } & LiveBatch)
  | { kind: 'dead'; letter: DeadLetter }

export interface BatchTrace {
  /** Where it is now; empty when it is settled, or was never stored. */
  places: BatchPlace[]
  /** Seq of the last batch that the store has stored of its numbering; `undefined`: it knows no such numbering, any more. */
  highWaterSeq: number | undefined
  /** Who owns its shard now. */
  owner: string | undefined
  /** Whether all of the shard was looked through; else it may be somewhere that was not. */
  isComplete: boolean
}

/** Parts of a correlation id, see `parseBatchId`. */
export interface BatchName {
  producer: string
  epoch: number
  shard: number
  seq: number
}

/**
 * Finds batches by looking: nothing is written down for it while batches pass. Thread: main. All calls throw
 * `TLM_STREAM_UNAVAILABLE` when the store cannot be reached.
 */
export interface BatchTracer {
  readonly shards: number
  /** Cost: looks through what the batch's shard holds, in bounded steps. */
  trace(batch: BatchName): Promise<BatchTrace>
  close(): Promise<void>
}

/** What a store's module exports for it, beside those of `StreamModule`. */
export interface TracerModule {
  openBatchTracer(options: unknown): Promise<BatchTracer>
}
