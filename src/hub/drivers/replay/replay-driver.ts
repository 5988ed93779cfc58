import { isUtf8 } from 'node:buffer'
import { type FileHandle, open } from 'node:fs/promises'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { pause } from '#core/time/pause'
import type { Driver, DriverContext } from '../driver.js'
import { splitCsv, splitWhitespace } from '../text/fields.js'
import { LineSplitter } from '../text/line-splitter.js'
import { offerReading } from '../text/offer.js'
import { ReadingParser } from '../text/reading-parser.js'
import { PlaybackSchedule } from './playback-schedule.js'
import type { ReplayOptions } from './replay-options.js'

/** One read: some hundred lines, a millisecond or two of parsing before the event loop has its turn. */
const READ_BYTES = 16_384
const NEWLINE = Buffer.from('\n')

/**
 * Plays a recording. Lines that cannot be read are rejected by reason and line number, and the rest goes on.
 *
 * @throws TLM_OPTIONS_INVALID
 */
export function createReplayDriver(options: ReplayOptions, context: DriverContext): Driver {
  const { speed, format, hasHeader, fields } = options
  if (speed !== 'max' && !(speed > 0)) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `speed must be above 0 or "max", not ${speed}.`)
  }
  if (format !== 'json' && !hasHeader && !fields?.length) {
    throw new TelemetryError(
      'TLM_OPTIONS_INVALID',
      'A recording without header needs "fields": the names of its fields.',
    )
  }
  return new ReplayDriver(options, context)
}

class ReplayDriver implements Driver {
  readonly #options: ReplayOptions
  readonly #context: DriverContext
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  #file: FileHandle | undefined
  #parser: ReadingParser | undefined
  #lineNumber = 0
  #offered = 0

  constructor(options: ReplayOptions, context: DriverContext) {
    this.#options = options
    this.#context = context
  }

  async open(): Promise<void> {
    const { path } = this.#options
    try {
      this.#file = await open(path, 'r')
    } catch (error) {
      const text = `Recording ${path} cannot be read: ${messageOf(error)}. Check its path and permissions.`
      throw new TelemetryError('TLM_BUS_UNAVAILABLE', text, { path }, error)
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async run(signal: AbortSignal): Promise<'stopped' | 'ended'> {
    const schedule = new PlaybackSchedule(this.#options, this.#context.clock)
    do {
      this.#offered = 0
      await this.#playOnce(schedule, signal)
      schedule.nextLap()
      // A lap that gave nothing would spin for ever.
    } while (this.#options.loop && !signal.aborted && this.#offered > 0)
    return signal.aborted ? 'stopped' : 'ended'
  }

  async #playOnce(schedule: PlaybackSchedule, signal: AbortSignal): Promise<void> {
    const { maxLineBytes, hasHeader, format } = this.#options
    let awaitsHeader = hasHeader && format !== 'json'
    this.#lineNumber = 0
    const onLineTooLong = () => {
      this.#lineNumber++
      this.#context.sink.reject('line_too_long', `line ${this.#lineNumber}: over ${maxLineBytes} bytes`)
    }
    const splitter = new LineSplitter({ delimiter: NEWLINE, maxLineBytes, onLineTooLong })
    let position = 0
    for (let isAtEnd = false; !isAtEnd && !signal.aborted; ) {
      const count = await this.#read(position)
      position += count
      isAtEnd = count === 0
      splitter.push(this.#buffer.subarray(0, count))
      for (let line = splitter.next() ?? atEnd(); line !== undefined; line = splitter.next() ?? atEnd()) {
        this.#lineNumber++
        if (awaitsHeader) this.#readHeader(line)
        else if (!(await this.#play(line, schedule, signal))) return
        awaitsHeader = false
      }
      function atEnd(): Buffer | undefined {
        return isAtEnd ? splitter.finish() : undefined
      }
    }
  }

  async #read(position: number): Promise<number> {
    try {
      return (await this.#file!.read(this.#buffer, 0, READ_BYTES, position)).bytesRead
    } catch (error) {
      const { path } = this.#options
      const text = `Recording ${path} broke off at byte ${position}: ${messageOf(error)}.`
      throw new TelemetryError('TLM_BUS_UNAVAILABLE', text, { path }, error)
    }
  }

  /** @returns `false` when `signal` aborted */
  async #play(line: Buffer, schedule: PlaybackSchedule, signal: AbortSignal): Promise<boolean> {
    const { sink } = this.#context
    if (!isUtf8(line)) {
      sink.reject('line_not_utf8', `line ${this.#lineNumber}`)
      return true
    }
    this.#parser ??= new ReadingParser(this.#options, sink)
    const parser = this.#parser
    if (!parser.parse(line.toString('utf8'), `line ${this.#lineNumber}`)) return true
    schedule.advance(parser.takenAtUs)
    for (let waitMs = schedule.waitMs(); waitMs > 0; waitMs = schedule.waitMs()) {
      await pause(waitMs, signal)
      if (signal.aborted) return false
    }
    this.#offered++
    const isRecorded = schedule.isRecorded(parser.takenAtUs)
    return offerReading(parser, schedule.takenAtUs(parser.takenAtUs), sink, signal, isRecorded)
  }

  /** Names from `fields` win over the header's. @throws TLM_OPTIONS_INVALID when the options name a field that is not there */
  #readHeader(line: Buffer): void {
    if (this.#parser !== undefined) return
    const { format, separator = ',', fields, columns, time, path } = this.#options
    const text = line
      .toString('utf8')
      .replace(/^\uFEFF/, '')
      .trim()
    const names = fields ?? (format === 'csv' ? splitCsv(text, separator) : splitWhitespace(text))
    const wanted = [...(columns ?? []).map((column) => column.field), ...(time?.fields ?? [])]
    const missing = wanted.filter((field) => !names.includes(field))
    if (missing.length > 0) {
      const problem = `Recording ${path} has no field ${missing.join(', ')}; its header names ${names.join(', ')}.`
      throw new TelemetryError('TLM_OPTIONS_INVALID', problem, { path, missing })
    }
    this.#parser = new ReadingParser({ ...this.#options, fields: names }, this.#context.sink)
  }
}
