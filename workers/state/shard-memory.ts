/**
 * Byte map of one shard's handler state: one SharedArrayBuffer that any pool thread can attach to.
 *
 * ```text
 *   header   32 x i32, see the indices below
 *   nameAt   slots x i32      first code unit of the series' name in `names`
 *   flags    slots x i32      CHANGED | QUEUED
 *   changed  slots x i32      slots changed since the last checkpoint, in no order
 *   queue    slots x i32      ring of slots whose summary is out of date, first in first out
 *   records  slots x recordWords x f64      one record per series: the fields of all handlers side by side
 *   pages    pages x PAGE_WORDS x f64       blocks of sketch bins, linked from records
 *   names    nameUnits x u16                device, channel and unit of every series, append only
 * ```
 * A record keeps the fields of one series together and not each field of all series: a run visits a series once and uses
 * all of its fields, which then lie in a few neighbouring cache lines.
 *
 * Plain accesses throughout: one run per shard at a time, and the message that starts the next run orders it after this
 * one. Growth makes a larger copy; the former memory is then no longer the shard's state.
 */
import { randomFillSync } from 'node:crypto'
import { TelemetryError } from '#core/errors/telemetry-error'

const MAGIC = 0x544c_4d53 // "TLMS"
const VERSION = 1

const HEADER_WORDS = 32
const STATE_ID = 2 // two words
const LAYOUT = 4
const RECORD_WORDS = 5
const SLOT_CAPACITY = 6
const SLOTS = 7
const PAGE_CAPACITY = 8
const PAGES = 9
const FREE_PAGE = 10
const NAME_CAPACITY = 11
const NAME_UNITS = 12
const CHANGED_SLOTS = 13
const QUEUE_HEAD = 14
const QUEUED_SLOTS = 15
const SUMMARY_CREDIT = 16

/** Words of a page: the key of its first bin's block, the next page (0: none), then the bins. */
export const PAGE_WORDS = 34
/** Bins of a page. */
export const PAGE_BINS = 32
export const PAGE_KEY = 0
export const PAGE_NEXT = 1
export const PAGE_COUNTS = 2

/** Series of one shard; samples of further series are refused and counted. */
export const MAX_SERIES = 65_536

const CHANGED = 1
const QUEUED = 2

export interface ShardCapacity {
  slots: number
  pages: number
  nameUnits: number
}

const FIRST_CAPACITY: ShardCapacity = { slots: 16, pages: 64, nameUnits: 1024 }

/** The memory of one shard. Its arrays are replaced when it grows: read them anew after any call that adds something. */
export class ShardMemory {
  readonly #layout: number
  readonly recordWords: number
  #memory: SharedArrayBuffer
  #header!: Int32Array
  #nameAt!: Int32Array
  #flags!: Int32Array
  #changed!: Int32Array
  #queue!: Int32Array
  records!: Float64Array
  pages!: Float64Array
  names!: Uint16Array

  /**
   * Attaches to memory that {@link create} made, in whatever thread.
   *
   * @param layout fingerprint of the record's fields; threads of one pool agree on it
   * @throws TLM_INVARIANT_BROKEN the memory is of another layout
   */
  constructor(memory: SharedArrayBuffer, recordWords: number, layout: number) {
    this.recordWords = recordWords
    this.#layout = layout | 0
    this.#memory = memory
    const header = memory.byteLength < HEADER_WORDS * 4 ? [] : new Int32Array(memory, 0, HEADER_WORDS)
    const found = [header[0], header[1], header[LAYOUT], header[RECORD_WORDS]]
    const wanted = [MAGIC, VERSION, this.#layout, recordWords]
    if (wanted.some((word, at) => word !== found[at])) {
      const details = { found, wanted }
      throw new TelemetryError('TLM_INVARIANT_BROKEN', "Shard state: the memory is not of this pool's layout.", details)
    }
    this.#map()
  }

  /** Empty memory of a new shard state. */
  static create(recordWords: number, layout: number, capacity: ShardCapacity = FIRST_CAPACITY): ShardMemory {
    const memory = new SharedArrayBuffer(bytesOf(recordWords, capacity))
    const header = new Int32Array(memory, 0, HEADER_WORDS)
    header[0] = MAGIC
    header[1] = VERSION
    randomFillSync(header, STATE_ID, 2)
    header[LAYOUT] = layout
    header[RECORD_WORDS] = recordWords
    header[SLOT_CAPACITY] = capacity.slots
    header[PAGE_CAPACITY] = capacity.pages
    header[PAGES] = 1 // page 0 means none
    header[NAME_CAPACITY] = capacity.nameUnits
    return new ShardMemory(memory, recordWords, layout)
  }

  get memory(): SharedArrayBuffer {
    return this.#memory
  }

  /** The same for as long as the state lives, also after growth; another for every other state. */
  get id(): string {
    return `${this.#header[STATE_ID]}.${this.#header[STATE_ID + 1]}`
  }

  /** Series known: slots `0..seriesCount-1`. */
  get seriesCount(): number {
    return this.#header[SLOTS]
  }

  /** Samples since summaries were last emitted, see `telemetry.analyze`. */
  get summaryCredit(): number {
    return this.#header[SUMMARY_CREDIT]
  }

  set summaryCredit(credit: number) {
    this.#header[SUMMARY_CREDIT] = credit
  }

  /** Index of the slot's first word in `records`. */
  recordAt(slot: number): number {
    return slot * this.recordWords
  }

  /**
   * Adds a series with a record of zeros.
   *
   * @param name code units, kept as they are
   * @returns its slot, or -1 when there are {@link MAX_SERIES} already
   */
  addSeries(name: Uint16Array): number {
    const slot = this.#header[SLOTS]
    if (slot === MAX_SERIES) return -1
    const at = this.#header[NAME_UNITS]
    if (slot === this.#header[SLOT_CAPACITY]) this.#grow({ slots: Math.min(MAX_SERIES, slot * 2) })
    if (at + name.length > this.#header[NAME_CAPACITY]) this.#grow({ nameUnits: (at + name.length) * 2 })
    this.names.set(name, at)
    this.#nameAt[slot] = at
    this.#header[NAME_UNITS] = at + name.length
    this.#header[SLOTS] = slot + 1
    return slot
  }

  nameAt(slot: number): number {
    return this.#nameAt[slot]
  }

  /** A page of zeros, from 1. */
  allocatePage(): number {
    const free = this.#header[FREE_PAGE]
    if (free !== 0) {
      const at = free * PAGE_WORDS
      this.#header[FREE_PAGE] = this.pages[at + PAGE_NEXT]
      this.pages.fill(0, at, at + PAGE_WORDS)
      return free
    }
    const page = this.#header[PAGES]
    if (page === this.#header[PAGE_CAPACITY]) this.#grow({ pages: page * 2 })
    this.#header[PAGES] = page + 1
    return page
  }

  freePage(page: number): void {
    this.pages[page * PAGE_WORDS + PAGE_NEXT] = this.#header[FREE_PAGE]
    this.#header[FREE_PAGE] = page
  }

  /** Notes that the series must be saved at the next checkpoint. */
  markChanged(slot: number): void {
    if ((this.#flags[slot] & CHANGED) !== 0) return
    this.#flags[slot] |= CHANGED
    this.#changed[this.#header[CHANGED_SLOTS]++] = slot
  }

  /** The series to save; they count as saved afterwards. */
  takeChanged(): Int32Array {
    const slots = this.#changed.slice(0, this.#header[CHANGED_SLOTS])
    for (const slot of slots) this.#flags[slot] &= ~CHANGED
    this.#header[CHANGED_SLOTS] = 0
    return slots
  }

  /** Puts the series at the end of the queue of out-of-date summaries, unless it is in there. */
  enqueue(slot: number): void {
    if ((this.#flags[slot] & QUEUED) !== 0) return
    this.#flags[slot] |= QUEUED
    const capacity = this.#header[SLOT_CAPACITY]
    this.#queue[(this.#header[QUEUE_HEAD] + this.#header[QUEUED_SLOTS]++) % capacity] = slot
  }

  /** Takes the head of the queue; -1 when it is empty. */
  dequeue(): number {
    if (this.#header[QUEUED_SLOTS] === 0) return -1
    const head = this.#header[QUEUE_HEAD]
    const slot = this.#queue[head]
    this.#header[QUEUE_HEAD] = (head + 1) % this.#header[SLOT_CAPACITY]
    this.#header[QUEUED_SLOTS]--
    this.#flags[slot] &= ~QUEUED
    return slot
  }

  #map(): void {
    const memory = this.#memory
    this.#header = new Int32Array(memory, 0, HEADER_WORDS)
    const slots = this.#header[SLOT_CAPACITY]
    let at = HEADER_WORDS * 4
    const words = () => {
      const view = new Int32Array(memory, at, slots)
      at += slots * 4
      return view
    }
    this.#nameAt = words()
    this.#flags = words()
    this.#changed = words()
    this.#queue = words()
    this.records = new Float64Array(memory, at, slots * this.recordWords)
    at += this.records.byteLength
    this.pages = new Float64Array(memory, at, this.#header[PAGE_CAPACITY] * PAGE_WORDS)
    at += this.pages.byteLength
    this.names = new Uint16Array(memory, at, this.#header[NAME_CAPACITY])
  }

  #grow(larger: Partial<ShardCapacity>): void {
    const header = this.#header
    const capacity = {
      slots: header[SLOT_CAPACITY],
      pages: header[PAGE_CAPACITY],
      nameUnits: header[NAME_CAPACITY],
      ...larger,
    }
    const former = { nameAt: this.#nameAt, flags: this.#flags, changed: this.#changed, queue: this.#queue }
    const { records, pages, names } = this
    this.#memory = new SharedArrayBuffer(bytesOf(this.recordWords, capacity))
    new Int32Array(this.#memory, 0, HEADER_WORDS).set(header)
    const grown = new Int32Array(this.#memory, 0, HEADER_WORDS)
    grown[SLOT_CAPACITY] = capacity.slots
    grown[PAGE_CAPACITY] = capacity.pages
    grown[NAME_CAPACITY] = capacity.nameUnits
    this.#map()
    this.#nameAt.set(former.nameAt)
    this.#flags.set(former.flags)
    this.#changed.set(former.changed)
    // The ring is laid out anew from its head, as its length has changed.
    const head = header[QUEUE_HEAD]
    this.#queue.set(former.queue.subarray(head))
    this.#queue.set(former.queue.subarray(0, head), former.queue.length - head)
    this.#header[QUEUE_HEAD] = 0
    this.records.set(records)
    this.pages.set(pages)
    this.names.set(names)
  }
}

function bytesOf(recordWords: number, { slots, pages, nameUnits }: ShardCapacity): number {
  return HEADER_WORDS * 4 + slots * 16 + (slots * recordWords + pages * PAGE_WORDS) * 8 + nameUnits * 2
}
