/** Samples as columns: what a drain takes out of the ring and an encoder seals. Reused; valid are `0..count-1`. */
export interface SampleColumns {
  count: number
  readonly capacity: number
  /** Interned series id (hub-wide), not a batch-local index. */
  readonly series: Uint32Array
  readonly values: Float64Array
  readonly takenAtUs: Float64Array
  readonly sequences: Uint32Array
  readonly qualities: Uint8Array
  readonly priorities: Uint8Array
  /** Raw bus bytes by row. */
  readonly raw: Map<number, Uint8Array>
}

/** @param capacity most rows, at least 1 */
export function createColumns(capacity: number): SampleColumns {
  return {
    count: 0,
    capacity,
    series: new Uint32Array(capacity),
    values: new Float64Array(capacity),
    takenAtUs: new Float64Array(capacity),
    sequences: new Uint32Array(capacity),
    qualities: new Uint8Array(capacity),
    priorities: new Uint8Array(capacity),
    raw: new Map(),
  }
}
