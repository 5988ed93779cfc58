/** What the hub's main thread and a drain worker say to each other; both sides import this file. */
import type { PortableError } from '../errors/telemetry-error.js'
import type { SeriesDescriptor } from '../model/series.js'
import type { StreamLocator } from '../transport/batch-stream.js'

/** `workerData` of a drain worker. */
export interface DrainWorkerData {
  /** Shared memory of the ring, see `ring/layout`. */
  ring: SharedArrayBuffer
  /** Journal of sealed chunks, see `workers/seal-journal`: lets a successor cut the very same batches. */
  journal: SharedArrayBuffer
  producer: string
  epoch: number
  /** All series known when the worker starts, indexed by series id. */
  series: readonly SeriesDescriptor[]
  publish:
    | { mode: 'stream'; locator: StreamLocator }
    | {
        mode: 'list'
        host: string
        port: number
        username?: string
        password?: string
        db: number
        queueName: string
        taskType: string
      }
  batch: { maxSamples: number; maxBytes: number; maxAgeMs: number; maxInFlight: number }
}

export type ToDrainWorker =
  | { kind: 'series'; from: number; series: readonly SeriesDescriptor[] }
  | { kind: 'drain-and-stop' }

/** Counters since the worker started; the hub adds those of earlier workers of the same ring. */
export interface DrainCounters {
  samplesDelivered: number
  samplesLost: number
  batchesStored: number
  batchesDuplicate: number
  batchesRetried: number
  bytesStored: number
}

export type FromDrainWorker =
  | { kind: 'ready' }
  | {
      kind: 'progress'
      counters: DrainCounters
      storeUp: boolean
      lastError?: PortableError
      latencyHistogram?: string
    }
  | { kind: 'stopped'; counters: DrainCounters }
