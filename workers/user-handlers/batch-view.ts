import type { DecodedBatch } from '#core/model/batch'
import { QUALITY_NAMES } from '#core/model/quality'
import type { SampleView } from './user-handler.js'

/** A batch as a user's handler may read it, in order of arrival; it cannot be changed. Use it during the call only. */
export class BatchView implements Iterable<SampleView> {
  readonly #batch: DecodedBatch
  /** From reading to finding. */
  readonly correlationId: string
  #isOpen = true

  constructor(batch: DecodedBatch, correlationId: string) {
    this.#batch = batch
    this.correlationId = correlationId
  }

  /** Samples: `0..count-1`; 0 once the call is over. */
  get count(): number {
    return this.#isOpen ? this.#batch.count : 0
  }

  /** @throws RangeError there is no such sample, or the call is over */
  sample(index: number): SampleView {
    this.#check(index)
    const batch = this.#batch
    const { device, channel, unit } = batch.series[batch.seriesIndex[index]]
    return {
      device,
      channel,
      unit,
      value: batch.values[index],
      takenAtUs: batch.takenAtUs[index],
      sequence: batch.sequences[index],
      quality: QUALITY_NAMES[batch.qualities[index]] ?? 'good',
    }
  }

  /** A copy of the bytes as the bus gave them; most samples have none. */
  raw(index: number): Uint8Array | undefined {
    this.#check(index)
    return this.#batch.raw.get(index)?.slice()
  }

  *[Symbol.iterator](): Iterator<SampleView> {
    for (let index = 0; index < this.count; index++) yield this.sample(index)
  }

  /** The columns are about to be used for another batch: nothing more can be read. */
  close(): void {
    this.#isOpen = false
  }

  #check(index: number): void {
    if (!Number.isInteger(index) || index < 0 || index >= this.count) {
      throw new RangeError(`sample ${index} of a batch of ${this.count}; a batch can be read during the call only`)
    }
  }
}
