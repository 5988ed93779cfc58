/** What the simulated handlers keep per device: enough to tell a sample that is missing, doubled or out of order. */
export interface DeviceState {
  /** Samples of unmarked batches, */
  count: number
  /** a hash of their numbers in the order in which they came, */
  hash: number
  /** and how many of them came after a later one. */
  outOfOrder: number
  lastSequence: number
  /** Samples of marked batches, whose order nobody promises, and the sum of their numbers. */
  marked: number
  markedSum: number
}

const WORDS = 7
const DIRTY = 6

/** The states of a shard, by device, in shared memory as those of the real handlers. */
export class DeviceStates {
  readonly memory: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(devices: number, memory = new SharedArrayBuffer(devices * WORDS * 4)) {
    this.memory = memory
    this.#words = new Int32Array(memory)
  }

  apply(device: number, sequence: number, isMarked: boolean): void {
    const words = this.#words
    const at = device * WORDS
    words[at + DIRTY] = 1
    if (isMarked) {
      words[at + 4]++
      words[at + 5] += sequence + 1
      return
    }
    if (words[at] > 0 && sequence <= words[at + 3]) words[at + 2]++
    words[at]++
    words[at + 1] = Math.imul(words[at + 1], 31) + sequence + 1
    words[at + 3] = sequence
  }

  read(device: number): DeviceState {
    const [count, hash, outOfOrder, lastSequence, marked, markedSum] = this.#words.subarray(device * WORDS)
    return { count, hash, outOfOrder, lastSequence, marked, markedSum }
  }

  /** Rows of the devices that changed since this was asked last. */
  takeChanged(names: readonly string[]): Map<string, Uint8Array> {
    const rows = new Map<string, Uint8Array>()
    for (const [device, name] of names.entries()) {
      const at = device * WORDS
      if (this.#words[at + DIRTY] === 0) continue
      this.#words[at + DIRTY] = 0
      rows.set(name, new Uint8Array(this.#words.slice(at, at + DIRTY).buffer))
    }
    return rows
  }

  load(rows: ReadonlyMap<string, Uint8Array>, names: readonly string[]): void {
    for (const [device, name] of names.entries()) {
      const row = rows.get(name)
      if (row !== undefined) this.#words.set(new Int32Array(Uint8Array.from(row).buffer), device * WORDS)
    }
  }
}
