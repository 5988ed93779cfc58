/** What the processor's main thread and a sink thread say to each other, and what a sink module must offer. */
import type { PortableError } from '../errors/telemetry-error.js'
import type { Finding } from '../model/finding.js'
import type { StoredChunk } from './handler-messages.js'

/** What one commit stores. Writing any of it again changes nothing. */
export interface SinkRows {
  findings: readonly Finding[]
  chunks: readonly StoredChunk[]
}

/** Which findings to read; absent fields match everything. */
export interface FindingQuery {
  handler?: string | undefined
  device?: string | undefined
  channel?: string | undefined
  /** Correlation id of the batch that caused it; there is no index for it. */
  batch?: string | undefined
  /** Event time, microseconds since the Unix epoch, inclusive. */
  fromUs?: number | undefined
  /** Exclusive. */
  toUs?: number | undefined
  /** At least 1. */
  limit: number
  order: 'newest-first' | 'oldest-first'
}

/** Which stored samples to read. */
export interface SampleQuery {
  device: string
  channel: string
  /** Microseconds since the Unix epoch, inclusive. */
  fromUs?: number | undefined
  /** Exclusive. */
  toUs?: number | undefined
  /** At least 1. */
  limit: number
}

/** One sample out of a stored batch. */
export interface StoredSample {
  takenAtUs: number
  value: number
  /** `Quality` of the sample. */
  quality: number
  sequence: number
  unit: string
  /** Correlation id of its batch. */
  batch: string
}

/** What is stored of one batch. */
export interface StoredBatch {
  batch: string
  samples: number
  firstTakenAtUs: number
  lastTakenAtUs: number
}

export interface SinkAnswers {
  findings: Finding[]
  samples: StoredSample[]
  stored: StoredBatch[]
}

/** An open sink. Its calls may block: it has a thread of its own. All throw `TLM_SINK_FAILED`. */
export interface SinkStore {
  /**
   * Makes the rows durable, all or none. A finding replaces one of its key whose revision is not higher; a chunk whose
   * key is there already changes nothing.
   */
  commit(rows: SinkRows): void
  findings(query: FindingQuery): Finding[]
  /** Newest first. */
  samples(query: SampleQuery): StoredSample[]
  /** The whole batch of that correlation id, if it is stored. */
  stored(batch: string): StoredBatch[]
  close(): void
}

/** What a sink module exports: sink threads load it by URL. */
export interface SinkModule {
  /**
   * @param role `read` never changes anything and may run beside a `write` of the same data
   * @throws TLM_SINK_FAILED
   */
  openSinkStore(options: unknown, role: SinkRole): Promise<SinkStore>
}

export type SinkRole = 'write' | 'read'

/** `workerData` of a sink thread. */
export interface SinkWorkerData {
  /** `file:` URL of a module exporting {@link SinkModule}. */
  moduleUrl: string
  /** Structured-clonable options of that module. */
  options: unknown
  role: SinkRole
}

export type ToSinkWorker =
  /** `json` of packed findings, oldest first. One at a time: the next only after `committed`. */
  | { kind: 'commit'; findings: readonly Uint8Array[]; chunks: readonly StoredChunk[] }
  /** Tries the rows of the commit that failed once more; the thread kept them. */
  | { kind: 'commit-again' }
  | { kind: 'findings'; id: number; query: FindingQuery }
  | { kind: 'samples'; id: number; query: SampleQuery }
  | { kind: 'stored'; id: number; batch: string }
  | { kind: 'close' }

export type FromSinkWorker =
  | { kind: 'committed' }
  | { kind: 'commit-failed'; error: PortableError }
  | { kind: 'answer'; id: number; rows: SinkAnswers[keyof SinkAnswers] }
  | { kind: 'refused'; id: number; error: PortableError }
