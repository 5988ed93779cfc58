import type { Priority } from './priority.js'
import type { Quality } from './quality.js'

/** One reading of one channel, as it crosses the ring. */
export interface Sample {
  /** Interned (device, channel), see `SeriesTable`; u32. */
  series: number
  /** In the channel's unit; finite. */
  value: number
  /**
   * Time of the bus read, integer microseconds: wall time since the Unix epoch, or, in the ring, hub time that is mapped
   * to wall time when a batch is sealed (`time/hub-time`).
   */
  takenAtUs: number
  /** Number of this sample within its device since the device started; u32, wraps. */
  sequence: number
  quality: Quality
  priority: Priority
  /** Bytes as the bus gave them, at most {@link MAX_RAW_BYTES}; travels with the first sample of a reading. */
  raw?: Uint8Array | undefined
}

/** Upper bound of `Sample.raw` in bytes. */
export const MAX_RAW_BYTES = 4096
