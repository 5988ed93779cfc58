import type { DecodedBatch } from '../model/batch.js'
import { MAX_RAW_BYTES } from '../model/sample.js'
import { DictionaryReader } from './batch-dictionary.js'
import { BatchReader } from './batch-reader.js'
import {
  BATCH_FIELDS,
  BATCH_VERSION,
  MAX_BATCH_SAMPLES,
  MAX_BYTE_SERIES,
  MAX_PRODUCER_CHARACTERS,
  MAX_QUALITY,
  malformedBatch,
  QUALITIES_FIELDS,
  RAW_FIELDS,
  requireLittleEndianHost,
  unknownBatchVersion,
} from './batch-wire.js'
import { areAllFinite, largestOf, readUnsigned } from './column-reader.js'
import { findStructureProblem } from './msgpack-structure.js'
import { ReadingsReader } from './readings-reader.js'

/** Wider than version 1 needs, so that a later version is recognised as such. */
const STRUCTURE_LIMITS = { maxDepth: 8, maxItems: 16 * MAX_BATCH_SAMPLES }
const FIRST_CAPACITY = 1024

/**
 * Reads batches of this version (and, from version 2 on, of the one before).
 *
 * Thread: any; one thread uses one decoder. Cost: some 5 ns a sample. `values` and byte-wide `seriesIndex` are views of
 * the body when its first byte lies at a multiple of 8 of its buffer, as in a buffer of its own; else `values` is one
 * copy. Times, sequences and qualities are unfolded into memory that the decoder reuses.
 */
export class BatchDecoder {
  readonly #dictionaries = new DictionaryReader()
  readonly #readings = new ReadingsReader()
  #capacity = 0
  #values = new Float64Array(0)
  #places = new Uint16Array(0)
  #qualities = new Uint8Array(0)
  #runLengths = new Uint32Array(0)

  /** @throws TLM_INVARIANT_BROKEN the host is big-endian */
  constructor() {
    requireLittleEndianHost()
  }

  /**
   * Decodes a batch. Its arrays and raw bytes are views of `body` or of the decoder's memory: valid until the next call,
   * as long as nobody writes to `body`. `series` stays valid, and is mostly the same object for the same dictionary.
   *
   * Hostile input is safe: its structure is checked before anything is decoded, no number is believed that the input
   * does not bear out, and memory stays within a fixed multiple of the input.
   *
   * @throws TLM_BATCH_UNREADABLE with `details.class` `unknown-version` (and `details.version`) or `malformed`
   */
  decode(body: Uint8Array): DecodedBatch {
    const unsound = findStructureProblem(body, STRUCTURE_LIMITS)
    if (unsound !== undefined) throw malformedBatch(unsound.problem, unsound.offset)
    const reader = new BatchReader(body)
    const fields = reader.array()
    if (fields < 1) throw malformedBatch('the array is empty', 0)
    const version = reader.integer(0, 0xffff_ffff, 'the format version')
    // The reader of version N - 1 stands beside that of N: this is where they part.
    if (version !== BATCH_VERSION) throw unknownBatchVersion(version)
    if (fields !== BATCH_FIELDS) throw malformedBatch(`${fields} fields, version 1 has ${BATCH_FIELDS}`, 0)
    return this.#readVersion1(reader)
  }

  #readVersion1(reader: BatchReader): DecodedBatch {
    const producer = reader.string(MAX_PRODUCER_CHARACTERS, 'the producer')
    const epoch = reader.integer(0, Number.MAX_SAFE_INTEGER, 'the epoch')
    const seq = reader.integer(0, Number.MAX_SAFE_INTEGER, 'the seq')
    const dictionary = this.#dictionaries.read(reader)
    const { series } = dictionary
    const count = reader.integer(series.length, MAX_BATCH_SAMPLES, 'the number of samples')
    const seriesIndex = this.#readPlaces(reader, count, series.length)
    this.#readings.read(reader, count, dictionary, seriesIndex)
    const qualities = this.#readQualities(reader, count)
    const raw = readRaw(reader, count)
    reader.binary() // padding
    const values = this.#readValues(reader, count)
    const takenAtUs = this.#readings.takenAtUs.subarray(0, count)
    const sequences = this.#readings.sequences.subarray(0, count)
    return { producer, epoch, seq, count, series, seriesIndex, values, takenAtUs, sequences, qualities, raw }
  }

  #readPlaces(reader: BatchReader, count: number, series: number): Uint8Array | Uint16Array {
    const width = series <= MAX_BYTE_SERIES ? 1 : 2
    reader.binaryOf(count * width, 'series indices')
    // Only now: the input has shown that it is long enough for so many samples.
    this.#reserve(count)
    const { bytes, start } = reader
    const stored = new Uint8Array(bytes.buffer, bytes.byteOffset + start, count * width)
    let places: Uint8Array | Uint16Array = stored
    if (width === 2) {
      places = this.#places.subarray(0, count)
      new Uint8Array(this.#places.buffer).set(stored)
    }
    const largest = largestOf(places)
    if (largest >= series) throw malformedBatch(`series index ${largest}, the dictionary has ${series}`, start)
    return places
  }

  #readQualities(reader: BatchReader, count: number): Uint8Array {
    reader.arrayOf(QUALITIES_FIELDS)
    const offset = reader.at
    const runs = reader.binary()
    const start = reader.start
    const width = reader.column(Math.max(1, runs), 'quality runs', 2)
    const stored = reader.bytes.subarray(start, start + runs)
    if (runs > count || largestOf(stored) > MAX_QUALITY) throw malformedBatch('a quality is unknown', offset)
    const qualities = this.#qualities.subarray(0, count)
    readUnsigned(reader.bytes, reader.start, width, runs, this.#runLengths)
    let sample = 0
    for (let run = 0; run < runs; run++) {
      const end = sample + this.#runLengths[run] + 1
      qualities.fill(stored[run], sample, end)
      sample = end
    }
    if (sample !== count) throw malformedBatch(`qualities of ${sample} samples in a batch of ${count}`, offset)
    return qualities
  }

  #readValues(reader: BatchReader, count: number): Float64Array {
    reader.binaryOf(8 * count, 'values')
    const { bytes, start } = reader
    const isAligned = (bytes.byteOffset + start) % 8 === 0
    const values = isAligned
      ? new Float64Array(bytes.buffer, bytes.byteOffset + start, count)
      : this.#values.subarray(0, count)
    if (!isAligned) new Uint8Array(this.#values.buffer).set(bytes.subarray(start, start + 8 * count))
    if (!areAllFinite(values)) throw malformedBatch('a value is not finite', start)
    return values
  }

  #reserve(count: number): void {
    if (count <= this.#capacity) return
    this.#capacity = Math.max(FIRST_CAPACITY, 2 ** Math.ceil(Math.log2(count)))
    this.#values = new Float64Array(this.#capacity)
    this.#places = new Uint16Array(this.#capacity)
    this.#qualities = new Uint8Array(this.#capacity)
    this.#runLengths = new Uint32Array(this.#capacity)
    this.#readings.reserve(this.#capacity)
  }
}

function readRaw(reader: BatchReader, count: number): Map<number, Uint8Array> {
  const entries = reader.array()
  const raw = new Map<number, Uint8Array>()
  let least = 0
  for (let entry = 0; entry < entries; entry++) {
    reader.arrayOf(RAW_FIELDS)
    const sample = reader.integer(least, count - 1, 'the sample of raw bytes')
    const offset = reader.at
    const length = reader.binary()
    if (length > MAX_RAW_BYTES)
      throw malformedBatch(`${length} raw bytes, at most ${MAX_RAW_BYTES} are allowed`, offset)
    raw.set(sample, new Uint8Array(reader.bytes.buffer, reader.bytes.byteOffset + reader.start, length))
    least = sample + 1
  }
  return raw
}
