/** Bytes that are looked at together: enough that a few damaged ones do not decide. */
export const GARBLED_WINDOW_BYTES = 64
const SHARE = 4

/** What no text has: control characters except tabs and line ends, and what is no UTF-8. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNREADABLE = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]/g

/** Whether bytes that should be text are none: a quarter of them unreadable, as at a wrong baud rate. */
export function isGarbled(bytes: Uint8Array): boolean {
  const unreadable = Buffer.from(bytes).toString('utf8').match(UNREADABLE)?.length ?? 0
  return unreadable > 0 && unreadable * SHARE >= bytes.length
}

/** Hears a line as it comes and tells a burst of unreadable bytes from a damaged byte here and there. */
export class GarbleWatch {
  readonly #window = Buffer.alloc(GARBLED_WINDOW_BYTES)
  #length = 0
  #isGarbled = false

  /** @returns whether a burst begins: `true` once, until readable bytes come again */
  hear(bytes: Uint8Array): boolean {
    let begins = false
    for (let at = 0; at < bytes.length; ) {
      const count = Math.min(bytes.length - at, GARBLED_WINDOW_BYTES - this.#length)
      this.#window.set(bytes.subarray(at, at + count), this.#length)
      this.#length += count
      at += count
      if (this.#length < GARBLED_WINDOW_BYTES) break
      this.#length = 0
      const isBurst = isGarbled(this.#window)
      begins ||= isBurst && !this.#isGarbled
      this.#isGarbled = isBurst
    }
    return begins
  }
}
