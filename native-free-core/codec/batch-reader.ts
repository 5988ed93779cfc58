import { isUtf8 } from 'node:buffer'
import { type ColumnWidth, malformedBatch } from './batch-wire.js'

const ARRAY_16 = 0xdc
const ARRAY_32 = 0xdd
const BIN_8 = 0xc4
const BIN_32 = 0xc6
const STR_8 = 0xd9
const STR_32 = 0xdb
const FLOAT_64 = 0xcb
const UINT_8 = 0xcc
const UINT_64 = 0xcf
const INT_8 = 0xd0
const INT_64 = 0xd3

/**
 * Reads the items of a batch one after another and says where one is not what the layout wants. Integers are taken in
 * any msgpack form, also as a float that is whole. The input must have passed `findStructureProblem`: lengths are not
 * checked again.
 */
export class BatchReader {
  readonly bytes: Buffer
  /** Next byte to read. */
  at = 0
  /** Where the content of the last {@link binary} or {@link skipString} begins. */
  start = 0

  constructor(body: Uint8Array) {
    this.bytes = Buffer.from(body.buffer, body.byteOffset, body.length)
  }

  /** Length of the array that begins here. */
  array(): number {
    const marker = this.bytes[this.at++]
    if ((marker & 0xf0) === 0x90) return marker & 0x0f
    if (marker === ARRAY_16) return this.#length(2)
    if (marker === ARRAY_32) return this.#length(4)
    throw malformedBatch('an array was expected', this.at - 1)
  }

  arrayOf(length: number): void {
    const offset = this.at
    const found = this.array()
    if (found !== length) throw malformedBatch(`an array of ${length} was expected, found ${found} items`, offset)
  }

  /** Length in bytes of the binary that begins here; its content is at {@link start}. */
  binary(): number {
    const marker = this.bytes[this.at++]
    if (marker < BIN_8 || marker > BIN_32) throw malformedBatch('binary was expected', this.at - 1)
    return this.#content(this.#length(1 << (marker - BIN_8)))
  }

  /** As {@link binary}, with the length that the layout demands here. */
  binaryOf(length: number, what: string): void {
    const offset = this.at
    const found = this.binary()
    if (found !== length) throw malformedBatch(`${what} must have ${length} bytes, found ${found}`, offset)
  }

  /** A binary of `count` numbers of one width, which its length tells. */
  column(count: number, what: string, widest: ColumnWidth): ColumnWidth {
    const offset = this.at
    const length = this.binary()
    const width = length / count
    if (width === 0 || width === 1 || width === 2 || width === 4 || width === 8) {
      if (width <= widest) return width
    }
    throw malformedBatch(`${what} have ${length} bytes for ${count} numbers`, offset)
  }

  /** Steps over a string; its content is at {@link start}, up to {@link at}. */
  skipString(): void {
    const marker = this.bytes[this.at++]
    if ((marker & 0xe0) === 0xa0) this.#content(marker & 0x1f)
    else if (marker >= STR_8 && marker <= STR_32) this.#content(this.#length(1 << (marker - STR_8)))
    else throw malformedBatch('a string was expected', this.at - 1)
  }

  /** As {@link skipString}, for strings that are decoded afterwards: they must be UTF-8. */
  checkString(): void {
    this.skipString()
    if (!isUtf8(this.bytes.subarray(this.start, this.at))) throw malformedBatch('a name is not UTF-8', this.start)
  }

  string(maxCharacters: number, what: string): string {
    this.checkString()
    const text = this.bytes.toString('utf8', this.start, this.at)
    if (text.length <= maxCharacters) return text
    throw malformedBatch(`${what} has ${text.length} characters, at most ${maxCharacters} are allowed`, this.start)
  }

  /** A whole number from `min` to `max`, both within +-(2^53 - 1). */
  integer(min: number, max: number, what: string): number {
    const offset = this.at
    const value = this.#number()
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw malformedBatch(`${what} must be a whole number from ${min} to ${max}, found ${value}`, offset)
  }

  #number(): number {
    const { bytes } = this
    const marker = bytes[this.at++]
    if (marker < 0x80) return marker
    if (marker >= 0xe0) return marker - 0x100
    const at = this.at
    if (marker === FLOAT_64) {
      this.at += 8
      return bytes.readDoubleBE(at)
    }
    if (marker >= UINT_8 && marker <= UINT_64) return this.#length(1 << (marker - UINT_8))
    if (marker >= INT_8 && marker <= INT_64) {
      const length = 1 << (marker - INT_8)
      this.at += length
      return length === 8 ? Number(bytes.readBigInt64BE(at)) : bytes.readIntBE(at, length)
    }
    throw malformedBatch('a number was expected', at - 1)
  }

  /** A big-endian unsigned number; exact below 2^53. */
  #length(size: number): number {
    let value = 0
    for (const end = this.at + size; this.at < end; this.at++) value = value * 256 + this.bytes[this.at]
    return value
  }

  #content(length: number): number {
    this.start = this.at
    this.at += length
    return length
  }
}
