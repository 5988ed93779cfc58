import type { Framer } from '#src/hub/drivers/contract/stream-driver'
import { streamDriver } from '#src/hub/drivers/contract/stream-driver'

/** A small driver for a device that talks by itself: frames are `<` and a digit, everything else is noise. */
export const driver = streamDriver({
  kind: 'stream',
  manifest: { name: 'talking', summary: 'a test device', source: 'none', buses: ['serial', 'tcp'] },
  options: (field) => ({ silence: field.durationMs(1, 60_000).default(500) }),
  channels: () => [{ name: 'digit', quantity: 'count', unit: '' }],
  silenceMs: ({ silence }) => silence,
  framer: () => new DigitFramer(),
  decoder: () => ({
    decode: ([, digit]) =>
      digit === 0x39 ? { fault: 'crc', message: 'Nine is never right.' } : [{ ageUs: 1000, values: [digit - 0x30] }],
  }),
  startCommands: () => [Buffer.from('go\n')],
  stopCommands: () => [Buffer.from('halt\n')],
  emulate: () => {
    throw new Error('Tests have their own other end.')
  },
})

class DigitFramer implements Framer {
  #bytes = Buffer.alloc(0)
  #skipped = 0

  push(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes])
  }

  next(): Uint8Array | undefined {
    const start = this.#bytes.indexOf('<')
    const skipped = start === -1 ? this.#bytes.length : start
    this.#skipped += skipped
    this.#bytes = this.#bytes.subarray(skipped)
    if (this.#bytes.length < 2) return undefined
    const frame = this.#bytes.subarray(0, 2)
    this.#bytes = this.#bytes.subarray(2)
    return frame
  }

  takeSkipped(): number {
    const skipped = this.#skipped
    this.#skipped = 0
    return skipped
  }
}
