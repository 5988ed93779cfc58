import { messageOf } from '#core/errors/telemetry-error'
import { readFault } from '../drivers/contract/fault.js'
import type { AnswerLength } from '../drivers/contract/ports.js'
import type { LineLink } from './bus-link.js'
import { type BusTime, waitFor } from './bus-time.js'

/** Bytes in and out, over whatever: a serial port or a connection. */
export interface ByteChannel {
  read(into: Buffer): Promise<number | undefined>
  write(bytes: Uint8Array): Promise<void>
  close(): Promise<void>
}

export interface LineFacts {
  readonly kind: 'serial' | 'tcp'
  /** In messages, e.g. `/dev/ttyUSB0`. */
  readonly place: string
  readonly baudRate: number | undefined
  readonly bitsPerByte: number
}

const READ_BYTES = 4096
/** Longest answer there is. */
const ANSWER_BYTES = 65_536
/** Modbus over Serial Line V1.02, 2.5.1.1: frames are 3.5 characters apart, above 19200 baud 1.75 ms. */
const GAP_CHARACTERS = 3.5
const SHORTEST_GAP_MS = 1.75
const NEVER = new AbortController().signal

interface Awaited {
  readonly length: AnswerLength
  readonly resolve: (answer: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

/** Questions and answers over a channel. What comes while nobody waits is thrown away. */
export class ChannelLink implements LineLink {
  readonly endsInTime = true
  readonly #channel: ByteChannel
  readonly #facts: LineFacts
  readonly #time: BusTime
  readonly #gapMs: number
  #came = Buffer.alloc(256)
  #count = 0
  #awaited: Awaited | undefined
  #isPumping = false
  #failure: unknown
  #isClosed = false
  /** Nothing is sent before: devices tell frames by the silence between them. */
  #quietUntilMs = 0

  constructor(channel: ByteChannel, facts: LineFacts, time: BusTime) {
    this.#channel = channel
    this.#facts = facts
    this.#time = time
    const { baudRate, bitsPerByte } = facts
    this.#gapMs = baudRate === undefined ? 0 : gapMs(baudRate, bitsPerByte)
  }

  get kind(): 'serial' | 'tcp' {
    return this.#facts.kind
  }

  get baudRate(): number | undefined {
    return this.#facts.baudRate
  }

  get bitsPerByte(): number {
    return this.#facts.bitsPerByte
  }

  get isLost(): boolean {
    return this.#failure !== undefined
  }

  async write(bytes: Uint8Array, timeoutMs: number): Promise<void> {
    await this.#whenQuiet()
    await this.#within(timeoutMs, this.#send(bytes), 'takes no bytes')
    this.#keepQuiet(this.#wireMs(bytes.length))
  }

  async exchange(request: Uint8Array, length: AnswerLength, timeoutMs: number): Promise<Uint8Array> {
    this.#pump()
    await this.#whenQuiet()
    this.#count = 0
    try {
      return await new Promise((resolve, reject) => {
        // The answer can only begin when the question is out.
        const untilMs = timeoutMs + this.#wireMs(request.length)
        const cancel = this.#time.after(untilMs, () => reject(this.#noAnswer(length, timeoutMs)))
        const end = (settle: () => void) => {
          cancel()
          settle()
        }
        this.#awaited = {
          length,
          resolve: (answer) => end(() => resolve(answer)),
          reject: (error) => end(() => reject(error)),
        }
        if (this.#failure !== undefined) this.#awaited.reject(this.#lost())
        else this.#send(request).catch((error) => this.#awaited?.reject(error))
      })
    } finally {
      this.#awaited = undefined
      this.#keepQuiet(0)
    }
  }

  async read(into: Buffer): Promise<number | undefined> {
    try {
      return await this.#channel.read(into)
    } catch (error) {
      this.#failure ??= error
      throw this.#lost()
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#awaited?.reject(readFault('io', `${this.#facts.place} was closed while an answer was awaited.`))
    await this.#channel.close()
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      await this.#channel.write(bytes)
    } catch (error) {
      this.#failure ??= error
      throw this.#lost()
    }
  }

  /** Reads for as long as the link is open; begun by the first question, so that streams can read themselves. */
  #pump(): void {
    if (this.#isPumping) return
    this.#isPumping = true
    const chunk = Buffer.allocUnsafeSlow(READ_BYTES)
    const readOn = async () => {
      while (!this.#isClosed) {
        const count = await this.#channel.read(chunk)
        if (count === undefined) return
        this.#keepQuiet(0)
        this.#take(chunk.subarray(0, count))
      }
    }
    readOn().catch((error) => {
      this.#failure ??= error
      this.#awaited?.reject(this.#lost())
    })
  }

  #take(bytes: Buffer): void {
    const awaited = this.#awaited
    if (awaited === undefined || this.#count + bytes.length > ANSWER_BYTES) return
    if (this.#count + bytes.length > this.#came.length) {
      const larger = Buffer.alloc(2 * (this.#count + bytes.length))
      this.#came.copy(larger, 0, 0, this.#count)
      this.#came = larger
    }
    bytes.copy(this.#came, this.#count)
    this.#count += bytes.length
    try {
      const wanted = awaited.length(this.#came.subarray(0, this.#count))
      if (wanted !== undefined && this.#count >= wanted)
        awaited.resolve(Uint8Array.from(this.#came.subarray(0, wanted)))
    } catch (error) {
      awaited.reject(error)
    }
  }

  #noAnswer(length: AnswerLength, timeoutMs: number) {
    const { place } = this.#facts
    if (this.#count === 0) {
      return readFault('timeout', `No answer on ${place} within ${timeoutMs} ms: check power, address and wiring.`)
    }
    const wanted = length(this.#came.subarray(0, this.#count))
    const text = `${this.#count} of ${wanted ?? 'an unknown number of'} bytes came on ${place} within ${timeoutMs} ms`
    return readFault('short', `${text}: check baud rate, format and termination.`)
  }

  async #within(timeoutMs: number, work: Promise<void>, what: string): Promise<void> {
    let cancel = () => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#time.after(timeoutMs, () =>
        reject(readFault('timeout', `${this.#facts.place} ${what}: check flow control and cable.`)),
      )
    })
    try {
      await Promise.race([work, late])
    } finally {
      cancel()
    }
  }

  async #whenQuiet(): Promise<void> {
    const waitMs = this.#quietUntilMs - this.#time.monotonicMs()
    if (waitMs > 0) await waitFor(this.#time, waitMs, NEVER)
  }

  #keepQuiet(sendingMs: number): void {
    if (this.#gapMs > 0) this.#quietUntilMs = this.#time.monotonicMs() + sendingMs + this.#gapMs
  }

  #wireMs(bytes: number): number {
    const { baudRate, bitsPerByte } = this.#facts
    return baudRate === undefined ? 0 : (bytes * bitsPerByte * 1000) / baudRate
  }

  #lost() {
    const { message } = this.#failure instanceof Error ? this.#failure : { message: messageOf(this.#failure) }
    return readFault('io', message, this.#failure)
  }
}

/** Silence between two frames on a serial line, milliseconds. */
export function gapMs(baudRate: number, bits: number): number {
  return Math.max(SHORTEST_GAP_MS, (GAP_CHARACTERS * bits * 1000) / baudRate)
}
