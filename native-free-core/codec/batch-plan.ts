import { TelemetryError } from '../errors/telemetry-error.js'
import type { SampleColumns } from '../model/columns.js'
import { MAX_RAW_BYTES } from '../model/sample.js'
import type { SeriesDescriptor } from '../model/series.js'
import {
  FIXED_BYTES,
  MAX_BATCH_SAMPLES,
  MAX_QUALITY,
  QUALITY_RUN_BYTES,
  RAW_ENTRY_BYTES,
  VALUES_PREFIX_BYTES,
} from './batch-wire.js'
import { DictionaryPlan } from './dictionary-plan.js'
import { ReadingsPlan } from './readings-plan.js'

const FIRST_CAPACITY = 1024

/**
 * Gathers rows for one batch and knows after every row how many bytes the batch has: it takes rows until the next one
 * would not fit. No row makes a batch smaller, so the cut is the largest that fits. Reused for batch after batch; its
 * memory grows to the largest batch seen, at most some 4 MB.
 */
export class BatchPlan {
  #columns!: SampleColumns
  #hasRaw = false
  #fixedBytes = 0
  #capacity = 0
  #rawBytes = 0
  readonly dictionary = new DictionaryPlan()
  readonly readings = new ReadingsPlan()
  samples = 0
  /** By sample: value, and place of its series in the dictionary. */
  values = new Float64Array(0)
  places = new Uint16Array(0)
  /** Runs of equal quality. */
  runs = 0
  runQualities = new Uint8Array(0)
  runLengths = new Uint32Array(0)
  readonly raw: { sample: number; bytes: Uint8Array }[] = []

  /** Whether qualities are kept as runs; else one by one, which is shorter when they change often. */
  get hasQualityRuns(): boolean {
    return QUALITY_RUN_BYTES * this.runs < this.samples
  }

  /** Bytes of the batch as it stands. */
  get size(): number {
    return this.valuesAt + 8 * this.samples
  }

  /** Where the values begin: a multiple of 8. */
  get valuesAt(): number {
    const before =
      this.#fixedBytes +
      this.dictionary.bytes +
      this.dictionary.placeWidth * this.samples +
      this.readings.bytes +
      Math.min(QUALITY_RUN_BYTES * this.runs, this.samples) +
      this.#rawBytes
    return (before + VALUES_PREFIX_BYTES + 7) & ~7
  }

  /**
   * Takes the rows `rows[from..]` up to `to`, as many as fit, at least one.
   *
   * @param producerBytes length of the producer's name as msgpack
   * @throws TLM_INVARIANT_BROKEN a row is not what the model says; the message names it
   */
  gather(
    series: readonly SeriesDescriptor[],
    columns: SampleColumns,
    rows: Uint32Array,
    from: number,
    to: number,
    producerBytes: number,
    maxBytes: number,
  ): void {
    this.#begin(series, columns, producerBytes)
    const end = Math.min(to, from + MAX_BATCH_SAMPLES)
    for (let at = from; at < end; at++) {
      if (this.samples === this.#capacity) this.#grow()
      this.#add(rows[at])
      if (this.size > maxBytes && this.samples > 1) {
        this.#takeBack()
        break
      }
    }
    this.readings.finish()
  }

  #begin(series: readonly SeriesDescriptor[], columns: SampleColumns, producerBytes: number): void {
    this.#columns = columns
    this.#hasRaw = columns.raw.size > 0
    this.#fixedBytes = FIXED_BYTES + producerBytes
    this.#rawBytes = 0
    this.dictionary.begin(series)
    this.readings.begin()
    this.samples = 0
    this.runs = 0
    this.raw.length = 0
  }

  #add(row: number): void {
    const { count, values, series, takenAtUs, sequences, qualities, raw } = this.#columns
    if (row >= count) throw broken(row, `does not exist, there are ${count}`)
    const value = values[row]
    if (!(Math.abs(value) <= Number.MAX_VALUE)) throw broken(row, `has value ${value}, which is not finite`)
    const place = this.dictionary.placeOf(series[row])
    if (!this.readings.add(this.dictionary.deviceOf[place], takenAtUs[row], sequences[row])) {
      throw broken(row, `has takenAtUs ${takenAtUs[row]}, not a whole number below 2^53`)
    }
    this.#addQuality(qualities[row], row)
    if (this.#hasRaw) this.#addRaw(raw.get(row), row)
    this.values[this.samples] = value
    this.places[this.samples] = place
    this.samples++
  }

  #addQuality(quality: number, row: number): void {
    const last = this.runs - 1
    if (last >= 0 && quality === this.runQualities[last]) {
      this.runLengths[last]++
      return
    }
    if (quality > MAX_QUALITY) throw broken(row, `has quality ${quality}, only 0..${MAX_QUALITY} are known`)
    this.runQualities[this.runs] = quality
    this.runLengths[this.runs++] = 1
  }

  #addRaw(bytes: Uint8Array | undefined, row: number): void {
    if (bytes === undefined) return
    if (bytes.length > MAX_RAW_BYTES) throw broken(row, `has ${bytes.length} raw bytes, more than ${MAX_RAW_BYTES}`)
    this.raw.push({ sample: this.samples, bytes })
    this.#rawBytes += RAW_ENTRY_BYTES + bytes.length
  }

  /** Undoes the last row. */
  #takeBack(): void {
    this.samples--
    this.dictionary.takeBack()
    this.readings.takeBack()
    if (--this.runLengths[this.runs - 1] === 0) this.runs--
    const last = this.raw.at(-1)
    if (last?.sample !== this.samples) return
    this.raw.pop()
    this.#rawBytes -= RAW_ENTRY_BYTES + last.bytes.length
  }

  #grow(): void {
    this.#capacity = Math.max(FIRST_CAPACITY, 2 * this.#capacity)
    const { values, places, runQualities, runLengths } = this
    this.values = new Float64Array(this.#capacity)
    this.places = new Uint16Array(this.#capacity)
    this.runQualities = new Uint8Array(this.#capacity)
    this.runLengths = new Uint32Array(this.#capacity)
    this.values.set(values)
    this.places.set(places)
    this.runQualities.set(runQualities)
    this.runLengths.set(runLengths)
    this.readings.reserve(this.#capacity)
  }
}

function broken(row: number, problem: string): TelemetryError {
  return new TelemetryError('TLM_INVARIANT_BROKEN', `Batch: row ${row} of the columns ${problem}.`, { row })
}
