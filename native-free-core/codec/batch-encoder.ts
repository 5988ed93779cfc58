import { TelemetryError } from '../errors/telemetry-error.js'
import type { BatchHeader } from '../model/batch.js'
import type { SampleColumns } from '../model/columns.js'
import type { SeriesDescriptor } from '../model/series.js'
import { packName } from './batch-dictionary.js'
import { BatchPlan } from './batch-plan.js'
import {
  BATCH_FIELDS,
  BATCH_VERSION,
  MAX_PRODUCER_CHARACTERS,
  QUALITIES_FIELDS,
  RAW_FIELDS,
  READINGS_FIELDS,
  requireLittleEndianHost,
  SEQUENCES_FIELDS,
  TIMES_FIELDS,
} from './batch-wire.js'
import { BatchWriter } from './batch-writer.js'

/** A sealed batch and where the next one begins. */
export interface EncodedBatch {
  /** In a buffer of its own, of exactly its size: fit to be transferred. */
  body: Uint8Array
  /** Index in `rows` of the first row that is not in the batch. */
  next: number
  samples: number
  /** Earliest `takenAtUs` in the batch. */
  firstTakenAtUs: number
}

/**
 * Seals rows of sample columns as batches of the format in `docs/protocol.md`. Keeps its working memory, and the packed
 * names of the series it has met, between calls.
 *
 * Thread: any; one thread uses one encoder. Cost: some 20 ns a sample, one allocation of the body's size.
 */
export class BatchEncoder {
  readonly #plan = new BatchPlan()
  #producer = ''
  #packedProducer = packName('')

  /** @throws TLM_INVARIANT_BROKEN the host is big-endian */
  constructor() {
    requireLittleEndianHost()
  }

  /**
   * Encodes `rows[from..next)` of the columns: as many rows as fit `maxBytes`, at most 65 536, at least one, even when
   * that one is larger. The same input always gives the same cut and the same bytes. The batch has a dictionary of its
   * own, of the series it uses.
   *
   * A lone half of a surrogate pair in a name is written as U+FFFD.
   *
   * @param series indexed by the series ids in the columns
   * @param maxBytes bound of `body`
   * @throws TLM_INVARIANT_BROKEN there is no row, or header, names or a row are outside the model's bounds: a value that
   *   is not finite, a time that is not a whole number, a quality above 7, more raw bytes than allowed. Whoever takes
   *   samples in must have refused those, with a count; nothing is encoded.
   */
  encode(
    header: BatchHeader,
    series: readonly SeriesDescriptor[],
    columns: SampleColumns,
    rows: Uint32Array,
    from: number,
    to: number,
    maxBytes: number,
  ): EncodedBatch {
    if (!(from >= 0 && from < to && to <= rows.length)) {
      throw broken(`rows ${from}..${to} of ${rows.length} are none`, { from, to, rows: rows.length })
    }
    this.#useHeader(header)
    const plan = this.#plan
    plan.gather(series, columns, rows, from, to, this.#packedProducer.length, maxBytes)
    return {
      body: this.#write(header),
      next: from + plan.samples,
      samples: plan.samples,
      firstTakenAtUs: plan.readings.earliestUs(),
    }
  }

  #useHeader({ producer, epoch, seq }: BatchHeader): void {
    if (!isCount(epoch) || !isCount(seq)) throw broken(`epoch ${epoch} and seq ${seq} must be whole numbers`, { seq })
    if (producer === this.#producer) return
    if (producer.length > MAX_PRODUCER_CHARACTERS) {
      throw broken(`the producer's name has ${producer.length} characters, more than ${MAX_PRODUCER_CHARACTERS}`, {})
    }
    this.#packedProducer = packName(producer)
    this.#producer = producer
  }

  /** The order and form of the fields: `docs/protocol.md`, and FIXED_BYTES counts them. */
  #write({ epoch, seq }: BatchHeader): Uint8Array {
    const { dictionary, samples, places, values, valuesAt } = this.#plan
    const writer = new BatchWriter(this.#plan.size)
    writer.array(BATCH_FIELDS)
    writer.byte(BATCH_VERSION)
    writer.packed(this.#packedProducer)
    writer.float64(epoch)
    writer.float64(seq)
    writer.longArray(dictionary.entries.length)
    for (const entry of dictionary.entries) writer.packed(entry)
    writer.uint32(samples)
    writer.column(places, samples, 0, dictionary.placeWidth)
    this.#writeReadings(writer)
    this.#writeQualities(writer)
    this.#writeRaw(writer)
    writer.padTo(valuesAt)
    writer.column(values, samples, 0, 8)
    return writer.body
  }

  #writeReadings(writer: BatchWriter): void {
    const { readings, dictionary } = this.#plan
    const { count, takenAtUs, timeStep, timeWidth, sequenceStep } = readings
    writer.array(READINGS_FIELDS)
    writer.uint32(count)
    writer.column(readings.lengths, count, 1, readings.lengthWidth)
    writer.array(TIMES_FIELDS)
    writer.float64(takenAtUs[0])
    writer.float64(timeStep)
    writer.column(timeWidth === 8 ? takenAtUs : readings.timeDeltas, count, timeStep, timeWidth)
    writer.array(SEQUENCES_FIELDS)
    writer.column(readings.firstSequences, dictionary.devices, sequenceStep, 4)
    writer.uint32(sequenceStep)
    writer.column(readings.sequenceDeltas, count, sequenceStep, readings.sequenceWidth)
  }

  #writeQualities(writer: BatchWriter): void {
    const { samples, runs, runQualities, runLengths, hasQualityRuns } = this.#plan
    writer.array(QUALITIES_FIELDS)
    if (hasQualityRuns) {
      writer.column(runQualities, runs, 0, 1)
      writer.column(runLengths, runs, 1, 2)
      return
    }
    writer.runs(runQualities, runLengths, runs, samples)
    writer.column(runLengths, 0, 1, 0)
  }

  #writeRaw(writer: BatchWriter): void {
    const { raw } = this.#plan
    writer.longArray(raw.length)
    for (const { sample, bytes } of raw) {
      writer.array(RAW_FIELDS)
      writer.uint32(sample)
      writer.binary16(bytes)
    }
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}

function broken(problem: string, details: Record<string, unknown>): TelemetryError {
  return new TelemetryError('TLM_INVARIANT_BROKEN', `Batch: ${problem}.`, details)
}
