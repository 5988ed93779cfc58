import type { ColumnWidth } from './batch-wire.js'

/** Writes the items of a batch one after another into a buffer of the size that the plan has found. */
export class BatchWriter {
  readonly body: Uint8Array
  readonly #bytes: Buffer
  #at = 0

  /** @param size exact length of the batch */
  constructor(size: number) {
    this.body = new Uint8Array(size)
    this.#bytes = Buffer.from(this.body.buffer)
  }

  /** Begins an array of at most 15 items. */
  array(length: number): void {
    this.byte(0x90 | length)
  }

  longArray(length: number): void {
    this.#marked(0xdd, length)
  }

  /** A number from 0 to 127, or a marker. */
  byte(value: number): void {
    this.body[this.#at++] = value
  }

  uint32(value: number): void {
    this.#marked(0xce, value)
  }

  /** Any whole number that JavaScript keeps exactly; msgpack readers of all languages give it back as it was. */
  float64(value: number): void {
    this.byte(0xcb)
    this.#at = this.#bytes.writeDoubleBE(value, this.#at)
  }

  /** What is msgpack already. */
  packed(item: Uint8Array): void {
    this.body.set(item, this.#at)
    this.#at += item.length
  }

  /** @param bytes at most 65 535 */
  binary16(bytes: Uint8Array): void {
    this.byte(0xc5)
    this.#at = this.#bytes.writeUInt16BE(bytes.length, this.#at)
    this.packed(bytes)
  }

  /**
   * A binary of the first `count` numbers less `base`, little-endian. A difference below 0 wraps, as sequences do; width
   * 8 takes a Float64Array as it is, without `base`.
   */
  column(
    numbers: Float64Array | Uint32Array | Uint16Array | Uint8Array,
    count: number,
    base: number,
    width: ColumnWidth,
  ): void {
    this.#marked(0xc6, count * width)
    const { body } = this
    let at = this.#at
    this.#at += count * width
    if (width === 8) {
      body.set(new Uint8Array(numbers.buffer, numbers.byteOffset, 8 * count), at)
    } else if (width === 1) {
      for (let i = 0; i < count; i++) body[at++] = numbers[i] - base
    } else if (width === 2) {
      for (let i = 0; i < count; i++) {
        const number = numbers[i] - base
        body[at++] = number
        body[at++] = number >>> 8
      }
    } else if (width === 4) {
      for (let i = 0; i < count; i++, at += 4) this.#bytes.writeUInt32LE((numbers[i] - base) >>> 0, at)
    }
  }

  /** A binary of bytes that are given as runs. */
  runs(bytes: Uint8Array, lengths: Uint32Array, runs: number, count: number): void {
    this.#marked(0xc6, count)
    for (let run = 0; run < runs; run++) {
      const start = this.#at
      this.#at += lengths[run]
      this.body.fill(bytes[run], start, this.#at)
    }
  }

  /** Zero bytes as a binary of their own, so that the content of the next long binary begins at `offset`. */
  padTo(offset: number): void {
    const length = offset - 5 - 2 - this.#at
    this.byte(0xc4)
    this.byte(length)
    this.#at += length
  }

  #marked(marker: number, value: number): void {
    this.byte(marker)
    this.#at = this.#bytes.writeUInt32BE(value, this.#at)
  }
}
