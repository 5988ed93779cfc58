import type { ByteChannel } from '#src/hub/buses/line-link'

/** A line whose other end is a function: what is written goes to it, what it sends is read. */
export class ScriptedChannel implements ByteChannel {
  readonly #onWrite: (bytes: Uint8Array, send: (bytes: Uint8Array) => void) => void
  #waiting: Buffer[] = []
  #wake = () => {}
  #isClosed = false
  #failure: Error | undefined

  constructor(onWrite: (bytes: Uint8Array, send: (bytes: Uint8Array) => void) => void) {
    this.#onWrite = onWrite
  }

  send(bytes: Uint8Array): void {
    this.#waiting.push(Buffer.from(bytes))
    this.#wake()
  }

  /** As if the cable was pulled. */
  fail(failure: Error): void {
    this.#failure = failure
    this.#wake()
  }

  async read(into: Buffer): Promise<number | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isClosed) return undefined
      const bytes = this.#waiting.shift()
      if (bytes !== undefined) return bytes.copy(into)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#onWrite(bytes, (answer) => this.send(answer))
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake()
  }
}
