/** What is asked of, and answered by, the thread that looks into one dead letter's body. */
import type { QualityName } from '../model/quality.js'

/** `workerData` of the thread. */
export interface InspectRequest {
  body: Uint8Array
  /** Samples to show at most. */
  maxSamples: number
}

export interface InspectedSample {
  device: string
  channel: string
  unit: string
  takenAtUs: number
  value: number
  quality: QualityName
  sequence: number
}

export interface InspectedSeries {
  device: string
  channel: string
  unit: string
  samples: number
}

export type Inspection =
  | {
      kind: 'batch'
      producer: string
      epoch: number
      seq: number
      samples: number
      /** `undefined` for a batch without samples. */
      firstTakenAtUs: number | undefined
      lastTakenAtUs: number | undefined
      /** How many series there are; the first of them follow. */
      seriesCount: number
      series: InspectedSeries[]
      first: InspectedSample[]
    }
  /** The bytes are no batch; `hex` shows the first of them. */
  | { kind: 'unreadable'; reason: string; hex: string }
