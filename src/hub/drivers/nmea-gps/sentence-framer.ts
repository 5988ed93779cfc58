import type { Framer } from '../contract/stream-driver.js'

/** NMEA 0183 allows 82 bytes, makers' own sentences (`$PUBX,03`) are longer; beyond this it is no sentence. */
export const MAX_SENTENCE_BYTES = 512

const CR = 0x0d
const LF = 0x0a
const DOLLAR = 0x24
/** Begins sentences of ships' transponders. */
const EXCLAMATION = 0x21

/**
 * Cuts at line ends, and before a `$` within a line, as then the rest of the line was lost. A sentence that does not end
 * is given up after {@link MAX_SENTENCE_BYTES} and handed on as it is, for the decoder to name it; what comes before the
 * next `$` is skipped. Holds one sentence at most.
 */
export class SentenceFramer implements Framer {
  readonly #pending = Buffer.allocUnsafe(MAX_SENTENCE_BYTES)
  /** Bytes of the sentence at hand; 0: outside of one. */
  #length = 0
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  #skipped = 0

  push(bytes: Uint8Array): void {
    const rest = this.#chunk.subarray(this.#at)
    this.#chunk = rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([rest, bytes])
    this.#at = 0
  }

  next(): Uint8Array | undefined {
    while (this.#at < this.#chunk.length) {
      const byte = this.#chunk[this.#at]
      const begins = byte === DOLLAR || byte === EXCLAMATION
      if (this.#length > 0 && begins) return this.#frame()
      this.#at++
      if (byte === CR || byte === LF) {
        if (this.#length > 0) return this.#frame()
      } else if (this.#length === 0 && !begins) this.#skipped++
      else {
        this.#pending[this.#length++] = byte
        if (this.#length === MAX_SENTENCE_BYTES) return this.#frame()
      }
    }
    return undefined
  }

  takeSkipped(): number {
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }

  #frame(): Uint8Array {
    const frame = Buffer.from(this.#pending.subarray(0, this.#length))
    this.#length = 0
    return frame
  }
}
