import { isUtf8 } from 'node:buffer'
import type { SampleSink } from '../driver.js'
import { stripChecksum } from '../text/checksummed-line.js'
import { GarbleWatch } from '../text/garbled.js'
import { LineSplitter } from '../text/line-splitter.js'
import { ReadingParser } from '../text/reading-parser.js'
import type { LineOptions } from './line-options.js'
import { StructReader } from './struct-reader.js'

/** Bytes of a line to readings, without a port: what gives none it rejects at the sink by reason. */
export class LineReader {
  /** Holds the reading that {@link next} found. */
  readonly parser: ReadingParser
  readonly #options: LineOptions
  readonly #sink: SampleSink
  readonly #struct: StructReader | undefined
  #watch = new GarbleWatch()
  #splitter: LineSplitter
  #skipsLine = false
  #raw: Uint8Array = new Uint8Array(0)

  /** @throws TLM_OPTIONS_INVALID */
  constructor(options: LineOptions, sink: SampleSink) {
    this.#options = options
    this.#sink = sink
    this.#struct = options.struct && new StructReader(options.struct, options, sink)
    const { format } = options
    // Of binary frames the parser only gets numbers, whatever its format.
    const textual = format === 'struct' ? { format: 'csv' as const, fields: this.#struct?.fields } : { format }
    this.parser = new ReadingParser({ ...options, ...textual }, sink)
    this.#splitter = this.#newSplitter()
  }

  /** The bytes of the line or frame that gave the reading; valid until the next call of {@link next}. */
  get raw(): Uint8Array {
    return this.#raw
  }

  /** Forgets what came before: the port was opened anew. */
  restart(): void {
    this.#skipsLine = this.#options.skipFirstLine
    this.#watch = new GarbleWatch()
    this.#splitter = this.#newSplitter()
    this.#struct?.restart()
  }

  /** Gives the next bytes; only after {@link next} answered `false`. */
  push(bytes: Uint8Array): void {
    if (this.#struct !== undefined) {
      this.#struct.push(bytes)
      return
    }
    if (this.#watch.hear(bytes)) {
      const baud = this.#options.baudRate
      this.#sink.reject(
        'wrong_baud_rate',
        `unreadable bytes: looks like a wrong baud rate, the device may not use ${baud}`,
      )
    }
    this.#splitter.push(bytes)
  }

  /** Goes to the next reading; `false`: more bytes are needed. */
  next(): boolean {
    return this.#struct === undefined ? this.#nextLine() : this.#nextFrame(this.#struct)
  }

  /** The port is closed. */
  finish(): void {
    if (this.#splitter.finish() !== undefined) this.#sink.reject('line_incomplete', 'the port was closed within a line')
  }

  #nextLine(): boolean {
    for (let line = this.#splitter.next(); line !== undefined; line = this.#splitter.next()) {
      if (this.#skipsLine) {
        this.#skipsLine = false
        this.#sink.reject('line_partial', 'first line after opening')
        continue
      }
      const text = this.#decode(line)
      if (text === undefined || !this.parser.parse(text, 'serial line')) continue
      this.#raw = line
      return true
    }
    return false
  }

  #nextFrame(struct: StructReader): boolean {
    for (let frame = struct.next(); frame !== undefined; frame = struct.next()) {
      if (!this.parser.parseValues(struct.values(frame), 'frame')) continue
      this.#raw = frame
      return true
    }
    return false
  }

  #decode(line: Buffer): string | undefined {
    if (!isUtf8(line)) return this.#refuse('line_not_utf8', line)
    if (line.includes(0)) return this.#refuse('line_has_nul', line)
    const { checksum } = this.#options
    if (checksum === undefined) return line.toString('utf8')
    if (line.toString('latin1').trim() === '') return ''
    const text = stripChecksum(line, checksum)
    return typeof text === 'string' ? this.#refuse(text, line) : text.toString('utf8')
  }

  #refuse(reason: string, line: Buffer): undefined {
    this.#sink.reject(reason, line.toString('hex', 0, 32))
  }

  #newSplitter(): LineSplitter {
    const { delimiter, maxLineBytes } = this.#options
    const onLineTooLong = () => {
      this.#skipsLine = false
      this.#sink.reject('line_too_long', `over ${maxLineBytes} bytes without delimiter`)
    }
    return new LineSplitter({ delimiter: Buffer.from(delimiter), maxLineBytes, onLineTooLong })
  }
}
