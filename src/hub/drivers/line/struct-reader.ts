import { TelemetryError } from '#core/errors/telemetry-error'
import type { SampleSink } from '../driver.js'
import { FixedFramer } from '../framing/fixed-framer.js'
import { checksumBytes, frameChecksumFits, type LineChecksum } from '../text/checksummed-line.js'
import { StructLayout } from '../text/struct-layout.js'
import type { StructOptions } from './line-options.js'

/** Cuts bytes into binary frames and reads their values; what belongs to none is counted as `bytes_skipped`. */
export class StructReader {
  /** Names of the values: those of the options, or `value_1`, `value_2`. */
  readonly fields: readonly string[]
  readonly #layout: StructLayout
  readonly #start: Buffer
  readonly #checksum: LineChecksum | undefined
  readonly #sink: SampleSink
  #framer: FixedFramer

  /** @throws TLM_OPTIONS_INVALID */
  constructor(
    struct: StructOptions,
    { fields, checksum }: { fields?: readonly string[]; checksum?: LineChecksum },
    sink: SampleSink,
  ) {
    this.#layout = new StructLayout(struct.layout)
    const { count } = this.#layout
    if (fields !== undefined && fields.length !== count) {
      const text = `layout ${struct.layout} has ${count} values, and "fields" names ${fields.length}: name each of them.`
      throw new TelemetryError('TLM_OPTIONS_INVALID', text)
    }
    this.fields = fields ?? Array.from({ length: count }, (_, at) => `value_${at + 1}`)
    this.#start = Buffer.from(struct.start, 'hex')
    this.#checksum = checksum
    this.#sink = sink
    this.#framer = this.#newFramer()
  }

  restart(): void {
    this.#framer = this.#newFramer()
  }

  push(bytes: Uint8Array): void {
    this.#framer.push(bytes)
  }

  next(): Uint8Array | undefined {
    const frame = this.#framer.next()
    const skipped = this.#framer.takeSkipped()
    if (skipped > 0) this.#sink.reject('bytes_skipped', `${skipped} bytes that begin no frame`)
    return frame
  }

  values(frame: Uint8Array): number[] {
    return this.#layout.read(frame.subarray(this.#start.length))
  }

  #newFramer(): FixedFramer {
    const checksum = this.#checksum
    const isFrame = (frame: Uint8Array) => {
      if (checksum === undefined || frameChecksumFits(frame, checksum)) return true
      this.#sink.reject('checksum_wrong', Buffer.from(frame).toString('hex', 0, 32))
      return false
    }
    const length = this.#start.length + this.#layout.bytes + (checksum === undefined ? 0 : checksumBytes(checksum))
    return new FixedFramer({ start: this.#start, length, isFrame })
  }
}
