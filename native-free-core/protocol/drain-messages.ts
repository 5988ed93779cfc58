/** What the hub's main thread and a drain worker say to each other; both sides import this file. */
import type { PortableError } from '../errors/telemetry-error.js'
import type { SeriesDescriptor } from '../model/series.js'
import type { BreakerState } from '../policy/circuit-breaker.js'
import type { SpillState } from '../policy/spill-valve.js'
import type { StreamLocator } from '../transport/batch-stream.js'
import type { RedisOptions } from '../transport/redis/redis-options.js'

/** `workerData` of a drain worker. */
export interface DrainWorkerData {
  /** Shared memory of the ring, see `ring/layout`. */
  ring: SharedArrayBuffer
  /** What the worker's successor must know, and what was counted, see `journal/seal-journal`. */
  journal: SharedArrayBuffer
  /** Where hub time lies in wall time, see `time/wall-memory`; absent: stamps are wall time already. */
  wall?: SharedArrayBuffer
  producer: string
  epoch: number
  /** All series known when the worker starts, indexed by series id. */
  series: readonly SeriesDescriptor[]
  publish: StreamPublish | ListPublish
  batch: {
    maxSamples: number
    maxBytes: number
    maxAgeMs: number
    /** Chunks that are sent and not yet confirmed; as the journal was made for. */
    maxInFlight: number
  }
  /** Where batches wait while the store takes none; absent: in the ring. Only for `mode: stream`. */
  spool?: SpoolOptions
  /** Batches are held back in the spool from the start, see `hold`. */
  isHeld: boolean
}

/** One drain worker's spool. */
export interface SpoolOptions {
  /** Of this worker alone. */
  directory: string
  /** Shared memory of its counts, see `journal/spool-counts`. */
  counts: SharedArrayBuffer
  /** Bound of the files. */
  maxBytes: number
  /** A segment whose newest batch is older is dropped. */
  maxAgeMs: number
  /** How long samples may wait in the ring for more to make a batch of, while batches go to the spool. */
  batchAgeMs: number
  /** How long written batches may wait for the disk; 0: not at all. */
  fsyncMs: number
  /** Part of the bytes under way that replay leaves to live batches while there are any, 0..0.95. */
  liveShare: number
  /** Delivered batches are kept in memory, to be sent again to a store that went back in time. */
  keep: { bytes: number; ageMs: number }
}

/** Sealed batches into the stream that the locator's module opens. */
export interface StreamPublish {
  mode: 'stream'
  locator: StreamLocator
}

/** One JSON task per reading into a Redis list, for consumers of the seed's kind. */
export interface ListPublish {
  mode: 'list'
  redis: RedisOptions
  /** Type of the tasks, e.g. `telemetry.analyze`. */
  taskType: string
}

export type ToDrainWorker =
  /** New series, in order of their ids from `from` on; what is known already is ignored. */
  | { kind: 'series'; from: number; series: readonly SeriesDescriptor[] }
  /** Keep batches in the spool while processors are pressed, or send them again. Without a spool: nothing. */
  | { kind: 'hold'; isHeld: boolean }
  /** Store what is in the ring, then end. Nothing may be published afterwards. */
  | { kind: 'drain-and-stop' }

/** How a drain worker gets on with the store. Counters are in the journal. */
export interface DrainStatus {
  storeUp: boolean
  breaker: BreakerState
  /** Times the breaker has opened since the worker started. */
  breakerOpenings: number
  /** Batches sent again since the worker started. */
  batchesRetried: number
  /** What is done because processors are pressed; absent without a spool. */
  spill?: SpillState
  /** Why the store is not up, or why it was not before. */
  lastError?: StoreError
  /** Why the spool takes nothing, in words; samples wait in the ring then. */
  spoolProblem?: string
}

export interface StoreError extends PortableError {
  /** `batchId` of the first batch that failed; absent when the store could not be opened. */
  batchId?: string
}

export type FromDrainWorker =
  /** The store's module is loaded: an end before this is a failed start. */
  | { kind: 'ready' }
  /** Once a second while samples flow, and at once when the store goes or comes. */
  | {
      kind: 'progress'
      status: DrainStatus
      /** Reading to stored, see `LatencyRecorder.take`: since the last progress. */
      latencyHistogram?: string
      /** How long flushes of the spool to the disk took, in the same form. */
      fsyncHistogram?: string
    }
  /** Samples that the store had lost, see `JournalTotals.samplesRolledBack`. */
  | { kind: 'rolled-back'; shard: number; highWaterSeq: number; samples: number; batchId: string }
  /** A store that went back in time was given again what was kept. */
  | { kind: 'repaired'; shard: number; highWaterSeq: number; batches: number; samples: number }
  /** All is stored; the worker ends. */
  | { kind: 'stopped' }
