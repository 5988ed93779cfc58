import { isUtf8 } from 'node:buffer'
import { TelemetryError } from '#core/errors/telemetry-error'
import { MAX_RAW_BYTES } from '#core/model/sample'
import { pause } from '#core/time/pause'
import { openSerialPort, type SerialPort } from '../../buses/serial-port.js'
import type { Driver, DriverContext } from '../driver.js'
import { LineSplitter } from '../text/line-splitter.js'
import { offerReading } from '../text/offer.js'
import { ReadingParser } from '../text/reading-parser.js'
import type { LineOptions } from './line-options.js'

/** What one read takes at most; a faster sender waits in the kernel. */
const READ_BYTES = 16_384

/**
 * A device that sends lines of text over a real serial port.
 *
 * @throws TLM_OPTIONS_INVALID
 */
export function createLineDriver(options: LineOptions, context: DriverContext): Driver {
  const { maxLineBytes, delimiter, format, fields } = options
  if (!Number.isInteger(maxLineBytes) || maxLineBytes < 1 || maxLineBytes > 65_536) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `maxLineBytes must be 1..65536, not ${maxLineBytes}.`)
  }
  const delimiterBytes = Buffer.byteLength(delimiter)
  if (delimiterBytes < 1 || delimiterBytes > 8) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `delimiter must be 1..8 bytes, not ${delimiterBytes}.`)
  }
  if ((format === 'csv' || format === 'whitespace') && !fields?.length) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `Format ${format} needs "fields": the names of a line's fields.`)
  }
  return new LineDriver(options, context)
}

class LineDriver implements Driver {
  readonly #options: LineOptions
  readonly #context: DriverContext
  readonly #parser: ReadingParser
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #port: SerialPort | undefined
  #skipsLine = false

  constructor(options: LineOptions, context: DriverContext) {
    this.#options = options
    this.#context = context
    this.#parser = new ReadingParser(options, context.sink)
  }

  async open(): Promise<void> {
    this.#port = await openSerialPort(this.#options)
    this.#skipsLine = this.#options.skipFirstLine
  }

  async run(signal: AbortSignal): Promise<'stopped'> {
    const port = this.#port
    if (port === undefined) throw new TelemetryError('TLM_INVARIANT_BROKEN', 'The line driver ran before it was open.')
    const { delimiter, settleMs, startCommand, stopCommand } = this.#options
    if (settleMs > 0) await pause(settleMs, signal)
    if (startCommand !== undefined && !signal.aborted) await port.write(Buffer.from(startCommand + delimiter))
    await this.#readLines(port, signal)
    if (stopCommand !== undefined) await port.write(Buffer.from(stopCommand + delimiter))
    return 'stopped'
  }

  async close(): Promise<void> {
    const port = this.#port
    this.#port = undefined
    await port?.close()
  }

  async #readLines(port: SerialPort, signal: AbortSignal): Promise<void> {
    const { sink } = this.#context
    const { delimiter, maxLineBytes } = this.#options
    const onLineTooLong = () => {
      this.#skipsLine = false
      sink.reject('line_too_long', `over ${maxLineBytes} bytes without delimiter`)
    }
    const splitter = new LineSplitter({ delimiter: Buffer.from(delimiter), maxLineBytes, onLineTooLong })
    try {
      while (!signal.aborted) {
        const count = await readOrAbort(port, this.#buffer, signal)
        if (count === undefined) break
        splitter.push(this.#buffer.subarray(0, count))
        await this.#takeLines(splitter, signal)
      }
    } finally {
      if (splitter.finish() !== undefined) sink.reject('line_incomplete', 'the port was closed within a line')
    }
  }

  /** All whole lines of the bytes at hand share the time of their read. */
  async #takeLines(splitter: LineSplitter, signal: AbortSignal): Promise<void> {
    const { sink, clock } = this.#context
    const readAtUs = clock.nowUs()
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
      if (this.#skipsLine) {
        this.#skipsLine = false
        sink.reject('line_partial', 'first line after opening')
        continue
      }
      const text = this.#decode(line)
      if (text === undefined || !this.#parser.parse(text, 'serial line')) continue
      const raw = this.#options.keepRaw ? line.subarray(0, MAX_RAW_BYTES) : undefined
      const takenAtUs = this.#parser.takenAtUs ?? readAtUs
      if (!(await offerReading(this.#parser, takenAtUs, sink, signal, raw))) sink.reject('stopped_while_full')
    }
  }

  #decode(line: Buffer): string | undefined {
    if (!isUtf8(line)) {
      this.#context.sink.reject('line_not_utf8', line.toString('hex', 0, 32))
      return undefined
    }
    if (line.includes(0)) {
      this.#context.sink.reject('line_has_nul', line.toString('hex', 0, 32))
      return undefined
    }
    return line.toString('utf8')
  }
}

/** The bytes read, or `undefined` on abort: the read left behind then ends when the port is closed. */
function readOrAbort(port: SerialPort, into: Buffer, signal: AbortSignal): Promise<number | undefined> {
  // Not Promise.race: it would hang one more reaction on the abort promise with every read.
  return new Promise((resolve, reject) => {
    const onAbort = () => resolve(undefined)
    signal.addEventListener('abort', onAbort, { once: true })
    port.read(into).then(
      (count) => {
        signal.removeEventListener('abort', onAbort)
        resolve(count)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      },
    )
  })
}
