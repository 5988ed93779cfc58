export interface LineSplitterOptions {
  /** 1..8 bytes that end a line. */
  delimiter: Uint8Array
  /** Longest line without its delimiter, in bytes, at least 1. */
  maxLineBytes: number
  /** Called once for every line over the limit, at the latest when it ends. */
  onLineTooLong: () => void
}

/**
 * Cuts a stream of bytes into lines, whatever the chunks; pulled, so that the reader may wait between two lines.
 *
 * A line over the limit is given up, and the next delimiter ends it. Holds one line at most.
 * Cost: O(bytes), one copy of each byte, one buffer for ever.
 */
export class LineSplitter {
  readonly #delimiter: Uint8Array
  readonly #lastByte: number
  readonly #limit: number
  readonly #onLineTooLong: () => void
  readonly #pending: Buffer
  #length = 0
  #isOverlong = false
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0

  constructor(options: LineSplitterOptions) {
    this.#delimiter = options.delimiter
    this.#lastByte = options.delimiter[options.delimiter.length - 1]
    this.#limit = options.maxLineBytes + options.delimiter.length
    this.#onLineTooLong = options.onLineTooLong
    this.#pending = Buffer.allocUnsafe(this.#limit)
  }

  /** Gives the next bytes; only after {@link next} answered `undefined`. The chunk must stay as it is until then. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** The next whole line without its delimiter, valid until the next call; `undefined` when more bytes are needed. */
  next(): Buffer | undefined {
    while (this.#at < this.#chunk.length) {
      const hit = this.#chunk.indexOf(this.#lastByte, this.#at)
      const end = hit === -1 ? this.#chunk.length : hit + 1
      this.#append(this.#at, end)
      this.#at = end
      if (hit !== -1 && this.#endsWithDelimiter()) {
        const line = this.#isOverlong ? undefined : this.#pending.subarray(0, this.#length - this.#delimiter.length)
        this.#forgetLine()
        if (line !== undefined) return line
      }
    }
    return undefined
  }

  /** Ends the stream: the bytes after the last delimiter, or `undefined` when there are none (or too many). */
  finish(): Buffer | undefined {
    const tooLong = this.#length > this.#limit - this.#delimiter.length
    if (tooLong && !this.#isOverlong) this.#onLineTooLong()
    const rest = this.#isOverlong || tooLong || this.#length === 0 ? undefined : this.#pending.subarray(0, this.#length)
    this.#forgetLine()
    return rest
  }

  #append(from: number, to: number): void {
    if (!this.#isOverlong && this.#length + to - from > this.#limit) {
      this.#isOverlong = true
      this.#onLineTooLong()
    }
    if (this.#isOverlong) this.#keepTail(from, to)
    else {
      this.#pending.set(this.#chunk.subarray(from, to), this.#length)
      this.#length += to - from
    }
  }

  /** Of a line given up only as much is kept as shows its delimiter. */
  #keepTail(from: number, to: number): void {
    const most = this.#delimiter.length
    const fresh = Math.min(to - from, most)
    const old = Math.min(this.#length, most - fresh)
    this.#pending.copyWithin(0, this.#length - old, this.#length)
    this.#pending.set(this.#chunk.subarray(to - fresh, to), old)
    this.#length = old + fresh
  }

  #endsWithDelimiter(): boolean {
    const start = this.#length - this.#delimiter.length
    if (start < 0) return false
    for (let i = 0; i < this.#delimiter.length; i++) {
      if (this.#pending[start + i] !== this.#delimiter[i]) return false
    }
    return true
  }

  #forgetLine(): void {
    this.#isOverlong = false
    this.#length = 0
  }
}
