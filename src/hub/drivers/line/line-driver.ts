import { TelemetryError } from '#core/errors/telemetry-error'
import { MAX_RAW_BYTES } from '#core/model/sample'
import { pause } from '#core/time/pause'
import { PathWatch } from '../../buses/path-watch.js'
import { openSerialPort, type SerialPort } from '../../buses/serial-port.js'
import type { Driver, DriverContext } from '../driver.js'
import { offerReading } from '../text/offer.js'
import { checkLineOptions } from './line-checks.js'
import type { LineOptions } from './line-options.js'
import { LineReader } from './line-reader.js'

/** What one read takes at most; a faster sender waits in the kernel. */
const READ_BYTES = 16_384

/**
 * A device that sends lines of text, or binary frames, over a real serial port.
 *
 * @throws TLM_OPTIONS_INVALID
 */
export function createLineDriver(options: LineOptions, context: DriverContext): Driver {
  checkLineOptions(options)
  return new LineDriver(options, context)
}

class LineDriver implements Driver {
  readonly #options: LineOptions
  readonly #context: DriverContext
  readonly #reader: LineReader
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  readonly #watch: PathWatch
  #port: SerialPort | undefined

  constructor(options: LineOptions, context: DriverContext) {
    this.#options = options
    this.#context = context
    this.#watch = new PathWatch(async () => options.path)
    this.#reader = new LineReader(options, context.sink)
  }

  async open(): Promise<void> {
    await this.#watch.note()
    this.#port = await openSerialPort(this.#options)
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

  whenBack(signal: AbortSignal): Promise<void> {
    return this.#watch.whenNew(signal)
  }

  async #readLines(port: SerialPort, signal: AbortSignal): Promise<void> {
    const reader = this.#reader
    reader.restart()
    try {
      while (!signal.aborted) {
        const count = await readOrAbort(port, this.#buffer, signal)
        if (count === undefined) break
        reader.push(this.#buffer.subarray(0, count))
        await this.#takeReadings(signal)
      }
    } finally {
      reader.finish()
    }
  }

  /** All readings of the bytes at hand share the time of their read. */
  async #takeReadings(signal: AbortSignal): Promise<void> {
    const { sink, clock } = this.#context
    const { parser } = this.#reader
    const readAtUs = clock.nowUs()
    while (this.#reader.next()) {
      const raw = this.#options.keepRaw ? this.#reader.raw.subarray(0, MAX_RAW_BYTES) : undefined
      const { takenAtUs } = parser
      const isRecorded = takenAtUs !== undefined
      if (!(await offerReading(parser, takenAtUs ?? readAtUs, sink, signal, isRecorded, raw)))
        sink.reject('stopped_while_full')
    }
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
