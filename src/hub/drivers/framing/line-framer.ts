import type { Framer } from '../contract/stream-driver.js'

const LF = 0x0a
const CR = 0x0d

/** Lines of text as frames, without their ends (`\n` or `\r\n`); a line over the limit is skipped whole. Holds one line at most. */
export class LineFramer implements Framer {
  readonly #maxBytes: number
  #bytes: Buffer = Buffer.alloc(0)
  #isOverlong = false
  #skipped = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes])
  }

  next(): Uint8Array | undefined {
    for (;;) {
      const end = this.#bytes.indexOf(LF)
      if (end === -1) {
        if (this.#isOverlong || this.#bytes.length > this.#maxBytes + 1) this.#skip(this.#bytes.length, true)
        return undefined
      }
      const line = this.#bytes.subarray(0, this.#bytes[end - 1] === CR ? end - 1 : end)
      if (this.#isOverlong || line.length > this.#maxBytes) this.#skip(end + 1, false)
      else {
        this.#bytes = this.#bytes.subarray(end + 1)
        return line
      }
    }
  }

  takeSkipped(): number {
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }

  #skip(count: number, isOverlong: boolean): void {
    this.#skipped += count
    this.#bytes = this.#bytes.subarray(count)
    this.#isOverlong = isOverlong
  }
}
