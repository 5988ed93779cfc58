import { messageOf } from '#core/errors/telemetry-error'
import { MAX_RAW_BYTES } from '#core/model/sample'
import type { Clock } from '#core/time/clock'
import type { BusSeat } from '../buses/bus.js'
import { unavailable } from '../buses/bus-fault.js'
import type { LineLink } from '../buses/bus-link.js'
import type { BusTime } from '../buses/bus-time.js'
import { portOn } from '../buses/ports.js'
import { type Decoded, isFault } from '../drivers/contract/decoded.js'
import type { AnyStreamDriver } from '../drivers/contract/driver-module.js'
import { type Fault, faultOf } from '../drivers/contract/fault.js'
import type { LinePort } from '../drivers/contract/ports.js'
import type { FrameDecoder, Framer } from '../drivers/contract/stream-driver.js'
import type { Driver, SampleSink } from '../drivers/driver.js'
import { DecodedOffer } from './decoded-offer.js'
import type { Observation } from './observation.js'
import type { ReadingFigures } from './reading-figures.js'
import { takeBus } from './take-bus.js'

export interface StreamRunnerOptions {
  readonly device: string
  readonly driver: AnyStreamDriver
  /** The driver's own. */
  readonly options: Record<string, unknown>
  readonly seat: BusSeat
  /** Bytes of each frame travel with its first reading. */
  readonly keepRaw: boolean
  readonly sink: SampleSink
  readonly time: BusTime
  /** For the stamps of readings. */
  readonly clock: Clock
  readonly figures: ReadingFigures
  readonly observation: Observation
}

/** What one read takes at most; a faster sender waits in the kernel. */
const READ_BYTES = 16_384
const NO_BYTES = new Uint8Array(0)

/** Runs a driver whose device talks by itself. It has its line alone. */
export class StreamRunner implements Driver {
  readonly #options: StreamRunnerOptions
  readonly #offer: DecodedOffer
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES)

  constructor(options: StreamRunnerOptions) {
    this.#options = options
    this.#offer = new DecodedOffer(options.sink, options.driver.channels(options.options))
  }

  async open(): Promise<void> {
    const { seat, figures, time } = this.#options
    await takeBus(seat, figures, time)
  }

  async close(): Promise<void> {
    const { seat } = this.#options
    await seat.bus.close(seat.user)
  }

  whenBack(signal: AbortSignal): Promise<void> {
    return this.#options.seat.bus.whenBack(signal)
  }

  async run(signal: AbortSignal): Promise<'stopped'> {
    const { driver, options, seat } = this.#options
    const port = portOn(seat, {}) as LinePort
    try {
      for (const command of driver.startCommands?.(options) ?? []) await port.write(command)
      await this.#readFrames(seat.bus.link as LineLink, signal)
      for (const command of driver.stopCommands?.(options) ?? []) await port.write(command)
    } catch (error) {
      throw this.#lost({ fault: faultOf(error), message: messageOf(error) })
    }
    return 'stopped'
  }

  async #readFrames(link: LineLink, signal: AbortSignal): Promise<void> {
    const { driver, options, seat } = this.#options
    const framer = driver.framer(options)
    const decoder = driver.decoder(options)
    const silence = new Silence(this.#options.time, driver.silenceMs(options))
    try {
      while (!signal.aborted) {
        const count = await silence.readOr(link.read(this.#buffer), signal)
        if (count === undefined) return
        if (link.baudRate !== undefined) {
          seat.bus.addBusy(seat.user, (count * link.bitsPerByte * 1000) / link.baudRate)
        }
        framer.push(this.#buffer.subarray(0, count))
        if (await this.#takeFrames(framer, decoder, signal)) silence.heard()
        this.#options.figures.skippedBytes += framer.takeSkipped()
      }
    } finally {
      silence.end()
    }
  }

  /** All whole frames of the bytes at hand came when they were read. @returns whether there was one */
  async #takeFrames(framer: Framer, decoder: FrameDecoder, signal: AbortSignal): Promise<boolean> {
    const takenAtUs = this.#options.clock.nowUs()
    let isAny = false
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) {
      isAny = true
      const decoded = this.#decode(decoder, frame, takenAtUs)
      if (isFault(decoded)) continue
      const raw = this.#options.keepRaw ? frame.subarray(0, MAX_RAW_BYTES) : undefined
      if (!(await this.#offer.offer(decoded, takenAtUs, raw, signal))) break
    }
    return isAny
  }

  #decode(decoder: FrameDecoder, frame: Uint8Array, takenAtUs: number): Decoded {
    const { figures, observation, device } = this.#options
    let decoded: Decoded
    try {
      decoded = decoder.decode(frame)
    } catch (error) {
      // Drivers promise not to throw here; one from outside may.
      decoded = { fault: 'decode', message: `The driver could not decode its bytes: ${messageOf(error)}.` }
    }
    const fault = isFault(decoded) ? decoded : undefined
    if (observation.isWatched) {
      const raw = Uint8Array.from(frame)
      const rest = fault === undefined ? {} : { fault }
      observation.acquisition({ device, takenAtUs, tookMs: 0, raw, setup: NO_BYTES, decoded, ...rest })
    }
    if (fault === undefined) figures.succeed(takenAtUs)
    else figures.fail(fault, takenAtUs)
    return decoded
  }

  #lost(fault: Fault): Error {
    const { figures, time } = this.#options
    figures.fail(fault, time.nowUs())
    return unavailable(fault.fault, fault.message)
  }
}

/** Watches that frames come. One timer at most, set anew only when it has run out. */
class Silence {
  readonly #time: BusTime
  readonly #limitMs: number
  #heardMs: number
  #cancel: (() => void) | undefined
  /** Absent: the hub itself is busy with what came, the device is not to blame. */
  #onSilence: (() => void) | undefined

  constructor(time: BusTime, limitMs: number) {
    this.#time = time
    this.#limitMs = limitMs
    this.#heardMs = time.monotonicMs()
    this.#watch(limitMs)
  }

  heard(): void {
    this.#heardMs = this.#time.monotonicMs()
  }

  end(): void {
    this.#cancel?.()
  }

  /**
   * The bytes read, or `undefined` on abort: the read left behind then ends when the bus is closed.
   *
   * @throws TLM_BUS_UNAVAILABLE no frame for too long
   */
  readOr(read: Promise<number | undefined>, signal: AbortSignal): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        this.#onSilence = undefined
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = () => end(() => resolve(undefined))
      this.#onSilence = () => {
        const text = `No frame for ${this.#limitMs} ms: check the device, its cable and baud rate.`
        end(() => reject(unavailable('timeout', text)))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      read.then(
        (count) => end(() => resolve(count)),
        (error: unknown) => end(() => reject(error)),
      )
    })
  }

  #watch(ms: number): void {
    this.#cancel = this.#time.after(ms, () => {
      const leftMs = this.#heardMs + this.#limitMs - this.#time.monotonicMs()
      if (leftMs > 0 || this.#onSilence === undefined) this.#watch(leftMs > 0 ? leftMs : this.#limitMs)
      else this.#onSilence()
    })
  }
}
