import type { Framer } from '../contract/stream-driver.js'

export interface FixedFrames {
  /** First bytes of each frame, at least one. */
  readonly start: Uint8Array
  /** Whole length in bytes, at least that of `start`. */
  readonly length: number
  /** Whether bytes of that length, which begin as they should, can be one; absent: always. */
  readonly isFrame?: (bytes: Uint8Array) => boolean
}

/** Frames of one length with a known beginning. What is none gives up its first byte only. Holds one frame at most. */
export class FixedFramer implements Framer {
  readonly #frames: FixedFrames
  #bytes: Buffer = Buffer.alloc(0)
  #skipped = 0

  constructor(frames: FixedFrames) {
    this.#frames = frames
  }

  push(bytes: Uint8Array): void {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#bytes, bytes])
  }

  next(): Uint8Array | undefined {
    const { start, length, isFrame } = this.#frames
    for (;;) {
      this.#skipTo(this.#bytes.indexOf(start[0]))
      const begins = start.every((byte, at) => at >= this.#bytes.length || this.#bytes[at] === byte)
      if (begins && this.#bytes.length < length) return undefined
      const frame = this.#bytes.subarray(0, length)
      if (begins && (isFrame === undefined || isFrame(frame))) {
        this.#bytes = this.#bytes.subarray(length)
        return frame
      }
      this.#skipTo(1)
    }
  }

  takeSkipped(): number {
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }

  /** @param at -1: everything */
  #skipTo(at: number): void {
    const count = at === -1 ? this.#bytes.length : at
    this.#skipped += count
    this.#bytes = this.#bytes.subarray(count)
  }
}
