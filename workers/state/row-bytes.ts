/** Bytes of saved state: whole numbers as varints, reals as their exact 64 bits. */

/** Grows as needed and is used again for row after row. */
export class RowWriter {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #at = 0

  /** @param value a whole number from 0 to 2^53 - 1 */
  integer(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 128) {
      this.#bytes[this.#at++] = (rest % 128) | 128
      rest = Math.floor(rest / 128)
    }
    this.#bytes[this.#at++] = rest
  }

  /** A whole number of either sign below 2^52. */
  signed(value: number): void {
    this.integer(value < 0 ? -2 * value - 1 : 2 * value)
  }

  real(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  /** `count` reals of `from`, starting at `at`. */
  reals(from: Float64Array, at: number, count: number): void {
    for (let word = 0; word < count; word++) this.real(from[at + word])
  }

  /** Code unit by code unit, so that any string comes back as it was. */
  text(value: string): void {
    this.integer(value.length)
    for (let at = 0; at < value.length; at++) this.integer(value.charCodeAt(at))
  }

  /** Leaves room for the length of what `write` writes, and fills it in. */
  block(write: () => void): void {
    this.#reserve(4)
    const at = this.#at
    this.#at += 4
    write()
    this.#view.setUint32(at, this.#at - at - 4, true)
  }

  /** What was written, in a buffer of its own; the writer starts anew. */
  take(): Uint8Array {
    const row = this.#bytes.slice(0, this.#at)
    this.#at = 0
    return row
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes <= this.#bytes.length) return
    const larger = new Uint8Array(this.#bytes.length * 2)
    larger.set(this.#bytes)
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** Reads what a {@link RowWriter} wrote. Throws a RangeError beyond the end: the row is then not one of ours. */
export class RowReader {
  readonly #view: DataView
  readonly #end: number
  #at = 0

  constructor(row: Uint8Array) {
    this.#view = new DataView(row.buffer, row.byteOffset, row.byteLength)
    this.#end = row.byteLength
  }

  get atEnd(): boolean {
    return this.#at >= this.#end
  }

  integer(): number {
    let value = 0
    let scale = 1
    for (let length = 0; length < 8; length++) {
      const byte = this.#view.getUint8(this.#at++)
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
    throw new RangeError('a whole number of more than 8 bytes')
  }

  signed(): number {
    const value = this.integer()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  real(): number {
    const value = this.#view.getFloat64(this.#at, true)
    this.#at += 8
    return value
  }

  reals(into: Float64Array, at: number, count: number): void {
    for (let word = 0; word < count; word++) into[at + word] = this.real()
  }

  /** @param maxLength in code units */
  text(maxLength: number): string {
    const length = this.integer()
    if (length > maxLength) throw new RangeError(`a text of ${length} code units`)
    let value = ''
    for (let at = 0; at < length; at++) value += String.fromCharCode(this.integer())
    return value
  }

  /** A reader of the block alone; this one goes on behind it. */
  block(): RowReader {
    const length = this.#view.getUint32(this.#at, true)
    const from = this.#at + 4
    if (from + length > this.#end) throw new RangeError(`a block of ${length} bytes beyond the end`)
    this.#at = from + length
    return new RowReader(new Uint8Array(this.#view.buffer, this.#view.byteOffset + from, length))
  }
}
