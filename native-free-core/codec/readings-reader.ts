import type { Dictionary } from './batch-dictionary.js'
import type { BatchReader } from './batch-reader.js'
import { malformedBatch, READINGS_FIELDS, SEQUENCES_FIELDS, TIMES_FIELDS } from './batch-wire.js'
import { readUnsigned } from './column-reader.js'

const MAX_U32 = 0xffff_ffff

/** Unfolds readings into a time and a sequence per sample. Its memory is reused by the next batch. */
export class ReadingsReader {
  /** By sample. */
  takenAtUs = new Float64Array(0)
  sequences = new Uint32Array(0)
  /** By reading: its samples less 1, its time, and what its sequence is ahead beyond the step. */
  #lengths = new Uint32Array(0)
  #times = new Float64Array(0)
  #extras = new Uint32Array(0)
  /** By device. */
  #lastSequences = new Uint32Array(0)

  /** Makes room for so many samples; what was there is gone. */
  reserve(capacity: number): void {
    this.takenAtUs = new Float64Array(capacity)
    this.sequences = new Uint32Array(capacity)
    this.#lengths = new Uint32Array(capacity)
    this.#times = new Float64Array(capacity)
    this.#extras = new Uint32Array(capacity)
    this.#lastSequences = new Uint32Array(capacity)
  }

  /** @param places the dictionary place of each sample; all of them valid */
  read(reader: BatchReader, count: number, dictionary: Dictionary, places: Uint8Array | Uint16Array): void {
    reader.arrayOf(READINGS_FIELDS)
    const offset = reader.at
    const readings = reader.integer(1, count, 'the number of readings')
    const width = reader.column(readings, 'lengths', 2)
    if (width === 0) {
      if (readings !== count) throw malformedBatch(`${readings} readings of one sample in a batch of ${count}`, offset)
      this.#readTimes(reader, readings, this.takenAtUs)
      const step = this.#readSequences(reader, readings, dictionary.devices)
      this.#unfoldSingles(readings, step, dictionary.deviceOf, places)
      return
    }
    readUnsigned(reader.bytes, reader.start, width, readings, this.#lengths)
    let samples = readings
    for (let reading = 0; reading < readings; reading++) samples += this.#lengths[reading]
    if (samples !== count) throw malformedBatch(`readings of ${samples} samples in a batch of ${count}`, offset)
    this.#readTimes(reader, readings, this.#times)
    const step = this.#readSequences(reader, readings, dictionary.devices)
    this.#unfold(readings, step, dictionary.deviceOf, places)
  }

  #readTimes(reader: BatchReader, readings: number, into: Float64Array): void {
    reader.arrayOf(TIMES_FIELDS)
    const offset = reader.at
    const firstUs = reader.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'the first time')
    const stepUs = reader.integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 'the time step')
    const width = reader.column(readings, 'times', 8)
    const { bytes, start } = reader
    if (width === 8) {
      new Uint8Array(into.buffer).set(bytes.subarray(start, start + 8 * readings))
    } else {
      readUnsigned(bytes, start, width, readings, this.#extras)
      accumulate(this.#extras, readings, firstUs, stepUs, into)
      const reachUs = readings * (Math.abs(stepUs) + 0xffff_ffff)
      if (Math.abs(firstUs) + reachUs <= Number.MAX_SAFE_INTEGER) return
    }
    if (into.subarray(0, readings).every(Number.isSafeInteger)) return
    throw malformedBatch('a time is not a whole number within 2^53', offset)
  }

  /** @returns the step, as signed 32 bits */
  #readSequences(reader: BatchReader, readings: number, devices: number): number {
    reader.arrayOf(SEQUENCES_FIELDS)
    reader.binaryOf(4 * devices, 'first sequences')
    readUnsigned(reader.bytes, reader.start, 4, devices, this.#lastSequences)
    const step = reader.integer(0, MAX_U32, 'the sequence step')
    const width = reader.column(readings, 'sequences', 4)
    readUnsigned(reader.bytes, reader.start, width, readings, this.#extras)
    return step | 0
  }

  #unfold(readings: number, step: number, deviceOf: Uint16Array, places: Uint8Array | Uint16Array): void {
    const { takenAtUs, sequences } = this
    const lengths = this.#lengths
    const times = this.#times
    // Signed views: sums that wrap stay 32-bit integers in the machine.
    const extras = new Int32Array(this.#extras.buffer)
    const lastSequences = new Int32Array(this.#lastSequences.buffer)
    let sample = 0
    for (let reading = 0; reading < readings; reading++) {
      const end = sample + lengths[reading] + 1
      const device = deviceOf[places[sample]]
      const sequence = (lastSequences[device] + step + extras[reading]) | 0
      lastSequences[device] = sequence
      const timeUs = times[reading]
      for (; sample < end; sample++) {
        takenAtUs[sample] = timeUs
        sequences[sample] = sequence
      }
    }
  }

  /** {@link #unfold} where every reading has one sample: its time is in place already. */
  #unfoldSingles(readings: number, step: number, deviceOf: Uint16Array, places: Uint8Array | Uint16Array): void {
    const { sequences } = this
    // Signed views: sums that wrap stay 32-bit integers in the machine.
    const extras = new Int32Array(this.#extras.buffer)
    const lastSequences = new Int32Array(this.#lastSequences.buffer)
    for (let reading = 0; reading < readings; reading++) {
      const device = deviceOf[places[reading]]
      const sequence = (lastSequences[device] + step + extras[reading]) | 0
      lastSequences[device] = sequence
      sequences[reading] = sequence
    }
  }
}

/** Times from what each is ahead of the one before, beyond the step. */
function accumulate(extras: Uint32Array, count: number, first: number, step: number, into: Float64Array): void {
  let time = first
  into[0] = first
  for (let reading = 1; reading < count; reading++) {
    time += step + extras[reading]
    into[reading] = time
  }
}
