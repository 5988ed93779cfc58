import { TelemetryError } from '../errors/telemetry-error.js'
import type { SampleColumns } from '../model/columns.js'
import type { Priority } from '../model/priority.js'
import type { Quality } from '../model/quality.js'
import { MAX_RAW_BYTES, type Sample } from '../model/sample.js'
import { attachRing, CONTROL, publishedCount, SLOT } from './layout.js'

const { PUBLISHED, CONSUMED } = CONTROL
const { FLOATS_SHIFT, VALUE, TAKEN_AT } = SLOT
const { WORDS_SHIFT, SERIES, SEQUENCE, META, RAW_START, PRIORITY_SHIFT, RAW_LENGTH_SHIFT } = SLOT

/** Slots whose lines are fetched together: measured best of 16, 32 and 64. */
const TOUCHED_AHEAD = 32

/**
 * The writing end of a ring. A refused sample leaves the ring unchanged: what happens to it is the caller's overflow
 * policy, not the ring's. Nothing here blocks or allocates, so a driver may publish inside its read callback.
 *
 * Thread: one thread at a time holds the only producer of a ring (the hub's main thread).
 */
export class RingProducer {
  /** Slots of the ring. */
  readonly capacity: number
  readonly #control: Int32Array
  readonly #floats: Float64Array
  readonly #words: Int32Array
  readonly #raw: Uint8Array
  readonly #mask: number
  readonly #rawMask: number
  /** Equal to the shared PUBLISHED but for a sleeper's flip; only this end counts it up. */
  #published: number
  /** CONSUMED as last loaded: never ahead of the shared word, so the ring never looks emptier than it is. */
  #consumedSeen: number
  /** Slots claimed and not yet published. */
  #claimed = 0
  /** Slots before this one were touched ahead by {@link #touchAhead}. */
  #touchedEnd: number
  /** Where the next raw bytes begin, and where the oldest not yet released begin; both count and wrap like indices. */
  #rawEnd: number
  #rawStartSeen: number

  /** @throws TLM_OPTIONS_INVALID the memory is not a ring or is corrupt */
  constructor(memory: SharedArrayBuffer) {
    const { control, floats, words, raw, slots } = attachRing(memory)
    this.capacity = slots
    this.#control = control
    this.#floats = floats
    this.#words = words
    this.#raw = raw
    this.#mask = slots - 1
    this.#rawMask = raw.length - 1
    // ORDER R1, R3: as any other load of these two; an earlier producer's slots are seen whole.
    this.#consumedSeen = Atomics.load(control, CONSUMED)
    this.#published = publishedCount(Atomics.load(control, PUBLISHED), this.#consumedSeen, slots)
    this.#touchedEnd = this.#published
    const isEmpty = this.#published === this.#consumedSeen
    const last = ((this.#published - 1) & this.#mask) << WORDS_SHIFT
    // With nothing in the ring any beginning will do, because slots carry their own rawStart.
    this.#rawEnd = isEmpty ? this.#published : (words[last + RAW_START] + (words[last + META] >>> RAW_LENGTH_SHIFT)) | 0
    this.#rawStartSeen = this.#rawStartAt(this.#consumedSeen, this.#published)
  }

  /** Index of the next slot to publish, u32, wraps. */
  get position(): number {
    return this.#published >>> 0
  }

  /** Samples published and not yet released; the consumer may have released more meanwhile. */
  get backlog(): number {
    // ORDER R3: refreshes what tryPublish may overwrite; pairs with the store in RingConsumer.release.
    this.#consumedSeen = Atomics.load(this.#control, CONSUMED)
    return (this.#published - this.#consumedSeen) >>> 0
  }

  /** Slots that can be published to now, at least. */
  get free(): number {
    return this.capacity - this.backlog
  }

  /** Bytes of `Sample.raw` that the ring holds. */
  get rawBytes(): number {
    return this.#raw.length
  }

  /** Bytes of `Sample.raw` that can be published now, at least. */
  get freeRawBytes(): number {
    // ORDER R3: raw bytes are read before CONSUMED is stored, like their slot (RingConsumer.release).
    this.#consumedSeen = Atomics.load(this.#control, CONSUMED)
    this.#rawStartSeen = this.#rawStartAt(this.#consumedSeen, this.#published)
    return this.#raw.length - ((this.#rawEnd - this.#rawStartSeen) >>> 0)
  }

  /**
   * Reserves the next `count` slots to be written in place with {@link put} and made visible with {@link publish}; `false`,
   * changing nothing, when so many are not free now. A claim that is not published is forgotten with the next one.
   *
   * @throws TLM_OPTIONS_INVALID more than the ring has
   */
  tryClaim(count: number): boolean {
    if (count > this.capacity) throw invalid(`${count} samples cannot fit a ring of ${this.capacity} slots`)
    const isFree = this.capacity - ((this.#published - this.#consumedSeen) >>> 0) >= count || this.free >= count
    this.#claimed = isFree ? count : 0
    if (isFree && count < TOUCHED_AHEAD && ((this.#touchedEnd - this.#published) | 0) < count) this.#touchAhead()
    return isFree
  }

  /**
   * Writes the claimed slot `index` in place: no copy, nothing visible yet.
   *
   * @param index 0..claimed-1
   * @throws TLM_INVARIANT_BROKEN the slot is not claimed
   */
  put(
    index: number,
    series: number,
    value: number,
    takenAtUs: number,
    sequence: number,
    quality: number,
    priority: number,
  ): void {
    if (index >>> 0 >= this.#claimed) throw unclaimed(index, this.#claimed)
    this.#write(index, series, value, takenAtUs, sequence, quality | (priority << PRIORITY_SHIFT), this.#rawEnd)
  }

  /**
   * Makes the claimed slots visible with one store; each must have been {@link put}.
   *
   * Cost: one exchange of a shared word, however many slots.
   */
  publish(): void {
    if (this.#claimed > 0) this.#publish((this.#published + this.#claimed) | 0)
  }

  /**
   * Publishes one sample; `false`, changing nothing, when slots or raw bytes do not suffice now.
   *
   * Cost: one exchange of a shared word; one load when the ring looks full.
   *
   * @throws TLM_OPTIONS_INVALID its raw bytes could never fit
   */
  tryPublish(sample: Sample): boolean {
    const { raw } = sample
    if (((this.#published - this.#consumedSeen) | 0) === this.capacity && this.free === 0) return false
    if (((this.#touchedEnd - this.#published) | 0) < 1) this.#touchAhead()
    const rawStart = this.#rawEnd
    let meta = sample.quality | (sample.priority << PRIORITY_SHIFT)
    if (raw !== undefined) {
      if (!this.#tryCopyRaw(raw, this.#published)) return false
      meta |= raw.length << RAW_LENGTH_SHIFT
    }
    this.#write(0, sample.series, sample.value, sample.takenAtUs, sample.sequence, meta, rawStart)
    this.#publish((this.#published + 1) | 0)
    return true
  }

  /**
   * Publishes all samples of one reading with one store, or none of them: `false`, changing nothing, when slots or raw
   * bytes do not suffice now. `raw` travels with the first sample; a reading of no samples publishes nothing.
   *
   * @param series `series[i]` measured `values[i]`; all samples get the same time, sequence, quality and priority
   * @throws TLM_OPTIONS_INVALID the lengths differ, or the reading or its raw bytes could never fit
   */
  tryPublishReading(
    takenAtUs: number,
    series: ArrayLike<number>,
    values: ArrayLike<number>,
    sequence: number,
    quality: Quality,
    priority: Priority,
    raw?: Uint8Array,
  ): boolean {
    const count = series.length
    if (count !== values.length) throw invalid(`a reading has ${count} series but ${values.length} values`)
    if (count === 0) return true
    if (!this.tryClaim(count)) return false
    let rawStart = this.#rawEnd
    let meta = quality | (priority << PRIORITY_SHIFT)
    if (raw !== undefined) {
      if (!this.#tryCopyRaw(raw, this.#published)) return false
      meta |= raw.length << RAW_LENGTH_SHIFT
    }
    for (let i = 0; i < count; i++) {
      this.#write(i, series[i], values[i], takenAtUs, sequence, meta, rawStart)
      meta &= (1 << RAW_LENGTH_SHIFT) - 1
      rawStart = this.#rawEnd
    }
    this.publish()
    return true
  }

  /**
   * Publishes rows `from..to-1` in order with one store, as many as fit now.
   *
   * @returns how many went in, from `from` on; the rest was refused
   * @throws TLM_OPTIONS_INVALID the rows are not in the columns, or the raw bytes of the first refused row could never fit
   */
  tryPublishMany(columns: SampleColumns, from: number, to: number): number {
    if (!(from >= 0 && from <= to && to <= columns.capacity)) {
      throw invalid(`rows ${from}..${to} do not lie within ${columns.capacity} rows`)
    }
    const wanted = to - from
    const first = this.#published
    let fit = this.capacity - ((first - this.#consumedSeen) >>> 0)
    if (fit < wanted) fit = this.free
    let count = Math.min(fit, wanted)
    if (columns.raw.size === 0) this.#copyRows(columns, from, count)
    else count = this.#copyRowsWithRaw(columns, from, count)
    if (count > 0) this.#publish((first + count) | 0)
    return count
  }

  #copyRows(columns: SampleColumns, from: number, count: number): void {
    const { values, takenAtUs, series, sequences, qualities, priorities } = columns
    for (let i = 0, row = from; i < count; i++, row++) {
      const meta = qualities[row] | (priorities[row] << PRIORITY_SHIFT)
      this.#write(i, series[row], values[row], takenAtUs[row], sequences[row], meta, this.#rawEnd)
    }
  }

  #copyRowsWithRaw(columns: SampleColumns, from: number, count: number): number {
    const first = this.#published
    for (let done = 0; done < count; done++) {
      const bytes = columns.raw.get(from + done)
      if (bytes !== undefined && done > 0 && bytes.length > Math.min(MAX_RAW_BYTES, this.#raw.length)) return done
      const rawStart = this.#rawEnd
      if (bytes !== undefined && !this.#tryCopyRaw(bytes, (first + done) | 0)) return done
      const row = from + done
      const { series, values, takenAtUs, sequences, qualities, priorities } = columns
      const rawLength = (bytes?.length ?? 0) << RAW_LENGTH_SHIFT
      const meta = qualities[row] | (priorities[row] << PRIORITY_SHIFT) | rawLength
      this.#write(done, series[row], values[row], takenAtUs[row], sequences[row], meta, rawStart)
    }
    return count
  }

  /** Plain writes of the slot `index` places after the last published one. */
  #write(
    index: number,
    series: number,
    value: number,
    takenAtUs: number,
    sequence: number,
    meta: number,
    rawStart: number,
  ): void {
    const slot = (this.#published + index) & this.#mask
    const float = slot << FLOATS_SHIFT
    const word = slot << WORDS_SHIFT
    const words = this.#words
    this.#floats[float + VALUE] = value
    this.#floats[float + TAKEN_AT] = takenAtUs
    words[word + SERIES] = series
    words[word + SEQUENCE] = sequence
    words[word + META] = meta
    words[word + RAW_START] = rawStart
  }

  /**
   * Writes a word into each line of the next free slots, so that the lines come from the consumer's core together. Left to
   * the samples, each line would be waited for alone: publishing drains the stores before it.
   */
  #touchAhead(): void {
    const free = this.capacity - ((this.#published - this.#consumedSeen) >>> 0)
    const end = (this.#published + Math.min(free, TOUCHED_AHEAD)) | 0
    for (let next = this.#published; next !== end; next = (next + 1) | 0) {
      this.#words[((next & this.#mask) << WORDS_SHIFT) + META] = 0
    }
    this.#touchedEnd = end
  }

  /** Copies `bytes` into the arena for the slot `next`; `false`, changing nothing, when they do not fit now. */
  #tryCopyRaw(bytes: Uint8Array, next: number): boolean {
    const size = this.#raw.length
    const length = bytes.length
    if (length > MAX_RAW_BYTES) throw invalid(`raw bytes of a sample are at most ${MAX_RAW_BYTES}, got ${length}`)
    if (length > size) throw invalid(`${length} raw bytes for a ring without room for any: create it with rawBytes > 0`)
    if (size - ((this.#rawEnd - this.#rawStartSeen) >>> 0) < length) {
      // ORDER R3: raw bytes are read before CONSUMED is stored, like their slot (RingConsumer.release).
      this.#consumedSeen = Atomics.load(this.#control, CONSUMED)
      this.#rawStartSeen = this.#rawStartAt(this.#consumedSeen, next)
      if (size - ((this.#rawEnd - this.#rawStartSeen) >>> 0) < length) return false
    }
    const at = this.#rawEnd & this.#rawMask
    const beforeWrap = size - at
    if (length <= beforeWrap) this.#raw.set(bytes, at)
    else {
      this.#raw.set(bytes.subarray(0, beforeWrap), at)
      this.#raw.set(bytes.subarray(beforeWrap), 0)
    }
    this.#rawEnd = (this.#rawEnd + length) | 0
    return true
  }

  /** Where the raw bytes of the oldest unreleased slot begin; slots up to `next` are written, by this end. */
  #rawStartAt(consumed: number, next: number): number {
    return consumed === next ? this.#rawEnd : this.#words[((consumed & this.#mask) << WORDS_SHIFT) + RAW_START]
  }

  #publish(next: number): void {
    const last = this.#published
    this.#published = next
    this.#claimed = 0
    // ORDER R1, slots before PUBLISHED: whoever loads the new count (RingConsumer.#refresh) sees the slots whole.
    // ORDER R2: what comes back is the last count, or the flip of a consumer that sleeps (RingConsumer.#fallAsleep).
    const found = Atomics.exchange(this.#control, PUBLISHED, next)
    if (found !== last) Atomics.notify(this.#control, PUBLISHED)
  }
}

function unclaimed(index: number, claimed: number): TelemetryError {
  return new TelemetryError('TLM_INVARIANT_BROKEN', `Ring: slot ${index} of ${claimed} claimed ones cannot be written.`)
}

function invalid(problem: string): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', `Ring: ${problem}.`)
}
