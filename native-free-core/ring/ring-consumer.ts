import { TelemetryError } from '../errors/telemetry-error.js'
import type { SampleColumns } from '../model/columns.js'
import { MAX_RAW_BYTES } from '../model/sample.js'
import { ASLEEP as ASLEEP_BIT, attachRing, CONTROL, publishedCount, SLOT } from './layout.js'

const { PUBLISHED, CONSUMED } = CONTROL
const ASLEEP = ASLEEP_BIT
const { FLOATS_SHIFT, VALUE, TAKEN_AT } = SLOT
const { WORDS_SHIFT, SERIES, SEQUENCE, META, RAW_START, PRIORITY_SHIFT, RAW_LENGTH_SHIFT } = SLOT

/**
 * Steps of the pauses between two looks at PUBLISHED: the first some 0.7 us, all together some 20 us, less than a sleep
 * and its wake-up cost both sides. A consumer that looks without pause takes the line of PUBLISHED away from the
 * producer at every store: measured with samples published one by one, that halves what is carried.
 */
const FIRST_PAUSE_STEPS = 1500
const LAST_PAUSE_STEPS = 6000

/** `Atomics.waitAsync` as Node 20 has it; the ES2023 library does not describe it. */
interface AsyncWait {
  waitAsync(
    words: Int32Array,
    index: number,
    expected: number,
    timeoutMs: number,
  ): { async: false; value: string } | { async: true; value: Promise<string> }
}

/**
 * The reading end of a ring. Samples are taken, read in place or copied, and only `release` gives slots back. A new
 * consumer starts at the oldest sample not released, so what a crashed one had taken comes again: repeats are possible, silent loss is not.
 *
 * Thread: one thread at a time holds the only consumer of a ring (a drain worker).
 */
export class RingConsumer {
  /** Slots of the ring. */
  readonly capacity: number
  readonly #control: Int32Array
  readonly #floats: Float64Array
  readonly #words: Int32Array
  readonly #raw: Uint8Array
  readonly #mask: number
  /** PUBLISHED as last loaded: may lag, never leads. */
  #publishedSeen: number
  /** Slot of the first sample of the last take. */
  #first: number
  /** Next slot to take. */
  #next: number
  /** Equal to the shared CONSUMED, which only this end stores. */
  #consumed: number

  /** @throws TLM_OPTIONS_INVALID the memory is not a ring or is corrupt */
  constructor(memory: SharedArrayBuffer) {
    const { control, floats, words, raw, slots } = attachRing(memory)
    this.#control = control
    this.#floats = floats
    this.#words = words
    this.#raw = raw
    this.#mask = slots - 1
    this.capacity = slots
    // ORDER R3: an earlier consumer's last release. Only consumers store it, so it cannot move now.
    this.#consumed = Atomics.load(control, CONSUMED)
    this.#next = this.#consumed
    this.#first = this.#consumed
    // ORDER R1: pairs with the exchange in RingProducer.#publish.
    this.#publishedSeen = publishedCount(Atomics.load(control, PUBLISHED), this.#consumed, slots)
    this.#wakeUp() // a consumer that died asleep left its flip
  }

  /** Samples published and not yet taken by this consumer; more may be published meanwhile. */
  get backlog(): number {
    return this.#refresh()
  }

  /** Index of the next slot to take, u32, wraps. */
  get position(): number {
    return this.#next >>> 0
  }

  /**
   * Blocks until there is something to drain: a bounded spin, then sleep. `false` when `timeoutMs` passed first.
   *
   * Thread: workers only; it stops the event loop of the thread that calls it.
   *
   * @param wanted while it spins, some 20 us, it holds out for so many samples: draining few at a time costs both sides
   *   a cache line each
   */
  wait(timeoutMs: number, wanted = 1): boolean {
    for (let steps = FIRST_PAUSE_STEPS; steps <= LAST_PAUSE_STEPS; steps += steps >> 3) {
      if (this.#refresh() >= wanted) return true
      pause(steps)
    }
    if (this.#refresh() > 0) return true
    if (this.#fallAsleep()) {
      // ORDER R2: sleeps only while the flip is there; woken by the notify in RingProducer.#publish.
      Atomics.wait(this.#control, PUBLISHED, this.#publishedSeen ^ ASLEEP, timeoutMs)
      this.#wakeUp()
    }
    return this.#refresh() > 0
  }

  /**
   * As {@link wait}, but lets the event loop run meanwhile. One wait at a time. The pending wait alone does not keep the
   * thread alive, nor does it promise to fire its timeout in a thread that nothing else keeps alive.
   */
  async waitAsync(timeoutMs: number): Promise<boolean> {
    if (this.#refresh() > 0) return true
    if (this.#fallAsleep()) {
      const atomics = Atomics as unknown as AsyncWait
      // ORDER R2: sleeps only while the flip is there; woken by the notify in RingProducer.#publish.
      const waiting = atomics.waitAsync(this.#control, PUBLISHED, this.#publishedSeen ^ ASLEEP, timeoutMs)
      if (waiting.async) await waiting.value
      this.#wakeUp()
    }
    return this.#refresh() > 0
  }

  /**
   * Takes the samples after the last taken one, to be read in place with {@link valueAt} and its like until they are
   * released or more are taken. They stay in the ring until released.
   *
   * Cost: one load of a shared word when fewer than `max` samples are known to be there.
   *
   * @returns how many, at most `max`; 0 when there is nothing
   */
  take(max: number): number {
    this.#first = this.#next
    let available = (this.#publishedSeen - this.#next) >>> 0
    if (available < max) available = this.#refresh()
    const count = Math.max(0, Math.min(available, max))
    this.#next = (this.#next + count) | 0
    return count
  }

  /** Value of the taken sample `index`, 0..taken-1; unchecked, like its siblings. */
  valueAt(index: number): number {
    return this.#floats[(((this.#first + index) & this.#mask) << FLOATS_SHIFT) + VALUE]
  }

  takenAtUsAt(index: number): number {
    return this.#floats[(((this.#first + index) & this.#mask) << FLOATS_SHIFT) + TAKEN_AT]
  }

  seriesAt(index: number): number {
    return this.#words[(((this.#first + index) & this.#mask) << WORDS_SHIFT) + SERIES] >>> 0
  }

  sequenceAt(index: number): number {
    return this.#words[(((this.#first + index) & this.#mask) << WORDS_SHIFT) + SEQUENCE] >>> 0
  }

  /**
   * Takes samples and copies them into rows `0..n-1` of `into`, whose former rows are gone.
   *
   * Cost: that of {@link take}; allocates for raw bytes only.
   *
   * @param max most samples, default and upper bound the rows of `into`
   * @returns how many, also in `into.count`; 0 when there is nothing
   * @throws TLM_INVARIANT_BROKEN a slot is corrupt
   */
  drain(into: SampleColumns, max: number = into.capacity): number {
    const count = this.take(Math.min(max, into.capacity))
    if (into.raw.size > 0) into.raw.clear()
    into.count = count
    if (this.#copyRows(into, count) !== 0) this.#copyRaw(into, count)
    return count
  }

  /**
   * Writes the instants of rows `0..count-1`, as drained last, back into their slots: whoever drains them again finds
   * these. Before anything is rewound.
   *
   * Cost: a store per sample, into lines that the drain has just read.
   */
  restamp({ takenAtUs, count }: SampleColumns): void {
    const floats = this.#floats
    const mask = this.#mask
    let index = this.#first
    for (let row = 0; row < count; row++) {
      floats[((index & mask) << FLOATS_SHIFT) + TAKEN_AT] = takenAtUs[row]
      index = (index + 1) | 0
    }
  }

  /**
   * Takes back the newest `samples` taken and not released: they are taken again.
   *
   * @throws TLM_INVARIANT_BROKEN more than those
   */
  rewind(samples: number): void {
    const held = (this.#next - this.#consumed) >>> 0
    if (!(samples >= 0 && samples <= held)) {
      throw new TelemetryError('TLM_INVARIANT_BROKEN', `Ring: cannot rewind ${samples} samples, ${held} are taken.`)
    }
    this.#next = (this.#next - samples) | 0
  }

  /**
   * Gives the oldest `samples` taken samples, and their raw bytes, back to the producer.
   *
   * @throws TLM_INVARIANT_BROKEN more than taken and not yet released
   */
  release(samples: number): void {
    const held = (this.#next - this.#consumed) >>> 0
    if (!(samples >= 0 && samples <= held)) {
      throw new TelemetryError('TLM_INVARIANT_BROKEN', `Ring: cannot release ${samples} samples, ${held} are taken.`)
    }
    if (samples === 0) return
    this.#consumed = (this.#consumed + samples) | 0
    // ORDER R3, slots before CONSUMED: they were copied before; the producer loads it before it overwrites them.
    Atomics.store(this.#control, CONSUMED, this.#consumed)
  }

  /** Copies the columns; the result is 0 when no row has raw bytes. */
  #copyRows(into: SampleColumns, count: number): number {
    const { values, takenAtUs, series, sequences, qualities, priorities } = into
    const floats = this.#floats
    const words = this.#words
    const mask = this.#mask
    let index = this.#first
    let metas = 0
    for (let row = 0; row < count; row++) {
      const slot = index & mask
      const float = slot << FLOATS_SHIFT
      const word = slot << WORDS_SHIFT
      const meta = words[word + META]
      metas |= meta
      values[row] = floats[float + VALUE]
      takenAtUs[row] = floats[float + TAKEN_AT]
      series[row] = words[word + SERIES]
      sequences[row] = words[word + SEQUENCE]
      qualities[row] = meta // a byte array keeps the low eight bits
      priorities[row] = meta >>> PRIORITY_SHIFT
      index = (index + 1) | 0
    }
    return metas >>> RAW_LENGTH_SHIFT
  }

  #copyRaw(into: SampleColumns, count: number): void {
    for (let row = 0; row < count; row++) {
      const word = ((this.#first + row) & this.#mask) << WORDS_SHIFT
      const length = this.#words[word + META] >>> RAW_LENGTH_SHIFT
      if (length === 0) continue
      if (length > Math.min(MAX_RAW_BYTES, this.#raw.length)) {
        throw new TelemetryError('TLM_INVARIANT_BROKEN', `Ring: a slot claims ${length} raw bytes.`, { length })
      }
      const start = this.#words[word + RAW_START] & (this.#raw.length - 1)
      const head = Math.min(length, this.#raw.length - start)
      const bytes = new Uint8Array(length)
      bytes.set(this.#raw.subarray(start, start + head))
      if (head < length) bytes.set(this.#raw.subarray(0, length - head), head)
      into.raw.set(row, bytes)
    }
  }

  #refresh(): number {
    // ORDER R1: loaded before slots and raw bytes are read; pairs with the exchange in RingProducer.#publish.
    const word = Atomics.load(this.#control, PUBLISHED)
    const backlog = (word - this.#next) >>> 0
    if (backlog > this.capacity) return this.#backlogAsleep(word)
    this.#publishedSeen = word
    return backlog
  }

  /** The same while this consumer's `waitAsync` sleeps. */
  #backlogAsleep(word: number): number {
    this.#publishedSeen = word ^ ASLEEP
    return (this.#publishedSeen - this.#next) >>> 0
  }

  /** `false`: something was published since the ring looked empty. */
  #fallAsleep(): boolean {
    const seen = this.#publishedSeen
    // ORDER R2: pairs with the exchange in RingProducer.#publish, which comes before (then this fails) or gets the flip.
    const found = Atomics.compareExchange(this.#control, PUBLISHED, seen, seen ^ ASLEEP)
    // A consumer that was given up while it slept may have left its flip: it wakes this one as well.
    return found === seen || found === (seen ^ ASLEEP)
  }

  /** Takes the flip back, unless a publish has: it took it away with the same step. */
  #wakeUp(): void {
    const seen = this.#publishedSeen
    Atomics.compareExchange(this.#control, PUBLISHED, seen ^ ASLEEP, seen) // ORDER R2: as #fallAsleep
  }
}

/** Burns time without touching shared memory. */
function pause(steps: number): void {
  for (let step = 0; step < steps; step++);
}
