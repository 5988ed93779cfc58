import { messageOf } from '#core/errors/telemetry-error'
import { MAX_RAW_BYTES } from '#core/model/sample'
import type { Clock } from '#core/time/clock'
import type { BusSeat } from '../buses/bus.js'
import { unavailable } from '../buses/bus-fault.js'
import { type BusTime, waitFor } from '../buses/bus-time.js'
import { type PortOptions, portOn } from '../buses/ports.js'
import { type Decoded, isFault } from '../drivers/contract/decoded.js'
import type { AnyPolledDriver } from '../drivers/contract/driver-module.js'
import { type Fault, type FaultKind, faultOf, readFault } from '../drivers/contract/fault.js'
import type { DriverTools } from '../drivers/contract/polled-driver.js'
import type { Port } from '../drivers/contract/ports.js'
import type { Driver, SampleSink } from '../drivers/driver.js'
import { DecodedOffer } from './decoded-offer.js'
import type { Observation } from './observation.js'
import type { ReadingFigures } from './reading-figures.js'
import { takeBus } from './take-bus.js'

export interface PolledRunnerOptions {
  readonly device: string
  readonly driver: AnyPolledDriver
  /** The driver's own. */
  readonly options: Record<string, unknown>
  readonly seat: BusSeat
  readonly port: PortOptions
  readonly everyMs: number
  /** Bytes of each acquisition travel with its first reading. */
  readonly keepRaw: boolean
  readonly sink: SampleSink
  readonly time: BusTime
  /** For the stamps of readings. */
  readonly clock: Clock
  readonly figures: ReadingFigures
  readonly observation: Observation
}

const NO_BYTES = new Uint8Array(0)
const NEVER = new AbortController().signal
/** A due time is still kept when its turn comes late by less than this share of the interval. */
const LATE_SHARE = 0.25
/** Timers may fire a little early. Milliseconds. */
const EARLY_MS = 0.5
/** Another try at once does not change these. */
const NOT_RETRIED: ReadonlySet<FaultKind> = new Set(['identity', 'setup', 'busy', 'permission', 'missing', 'package'])
/** Nobody is there: to set it up again is a try more of what has failed, and costs its neighbours another timeout. */
const NOBODY_THERE: ReadonlySet<FaultKind> = new Set(['timeout', 'nack'])

/**
 * Runs a driver that asks its device, at `start + k * every` for all whole k: no drift, and what could not be done in
 * time is counted and left out, never made up for in a burst.
 *
 * On trouble it climbs: the same again at once, setting the device up again, opening the bus again (unless others on
 * it are well), and at last the error that makes the supervisor wait, with longer and longer pauses.
 */
export class PolledRunner implements Driver {
  readonly #options: PolledRunnerOptions
  readonly #port: Port
  readonly #offer: DecodedOffer
  #setup: Uint8Array = NO_BYTES
  #calibration: unknown

  constructor(options: PolledRunnerOptions) {
    this.#options = options
    this.#port = portOn(options.seat, options.port)
    this.#offer = new DecodedOffer(options.sink, options.driver.channels(options.options))
  }

  /** Takes the bus and sets the device up: one that does not answer, or is another, is not open. */
  async open(signal: AbortSignal = NEVER): Promise<void> {
    const { seat, figures, time } = this.#options
    await takeBus(seat, figures, time)
    const fault = await this.#untilStopped(signal, () => this.#initialise(signal))
    if (fault !== undefined && !signal.aborted) throw unavailable(fault.fault, fault.message)
  }

  async close(): Promise<void> {
    const { seat } = this.#options
    await seat.bus.close(seat.user)
  }

  whenBack(signal: AbortSignal): Promise<void> {
    return this.#options.seat.bus.whenBack(signal)
  }

  async run(signal: AbortSignal): Promise<'stopped'> {
    await this.#untilStopped(signal, () => this.#readOnGrid(signal))
    return 'stopped'
  }

  /** Calls that wait for the bus end when the device is stopped. */
  async #untilStopped<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { bus, user } = this.#options.seat
    const onAbort = () => bus.cancel(user)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      return await work()
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #readOnGrid(signal: AbortSignal): Promise<void> {
    const { time, everyMs, seat, figures } = this.#options
    const startMs = time.monotonicMs()
    let due = 0
    while (!signal.aborted) {
      const dueMs = startMs + due * everyMs
      const aheadMs = dueMs - time.monotonicMs()
      if (aheadMs > EARLY_MS) {
        await waitFor(time, aheadMs, signal)
        continue
      }
      seat.user.deadlineMs = dueMs + everyMs
      await this.#read(signal)
      const late = (time.monotonicMs() - startMs) / everyMs
      // The newest due time that has passed counts as kept while it is fresh; those before it are missed.
      const next = Math.max(due + 1, Math.ceil(late - LATE_SHARE))
      figures.missed += next - due - 1
      due = next
    }
  }

  /** @throws TLM_BUS_UNAVAILABLE nothing helped */
  async #read(signal: AbortSignal): Promise<void> {
    const { seat } = this.#options
    const { bus, user } = seat
    let fault = await this.#attempt(signal)
    const isMended = () => fault === undefined || signal.aborted
    if (isMended()) return
    if (bus.isOpen && !NOT_RETRIED.has(fault!.fault)) fault = await this.#attempt(signal)
    if (isMended()) return
    if (bus.isOpen && !(NOBODY_THERE.has(fault!.fault) && bus.othersAreWell(user))) {
      fault = (await this.#reinitialise(signal)) ?? (await this.#attempt(signal))
    }
    if (isMended()) return
    if (bus.isOpen && (await bus.recover(user))) {
      fault = (await this.#reinitialise(signal)) ?? (await this.#attempt(signal))
    }
    if (isMended()) return
    throw unavailable(fault!.fault, fault!.message)
  }

  #reinitialise(signal: AbortSignal): Promise<Fault | undefined> {
    this.#options.figures.reinitializations++
    return this.#initialise(signal)
  }

  async #initialise(signal: AbortSignal): Promise<Fault | undefined> {
    const { driver, options, time, seat } = this.#options
    const startedMs = time.monotonicMs()
    seat.user.deadlineMs = startedMs + this.#options.everyMs
    try {
      this.#setup = await driver.initialise(this.#port, options, this.#tools(signal))
      this.#calibration = driver.calibration(this.#setup, options, readFault)
      return undefined
    } catch (error) {
      return signal.aborted ? undefined : this.#failed(error, startedMs, NO_BYTES)
    }
  }

  /** One acquisition. @returns why it gave nothing */
  async #attempt(signal: AbortSignal): Promise<Fault | undefined> {
    const { driver, options, time, clock, figures, observation, device } = this.#options
    const startedMs = time.monotonicMs()
    let raw: Uint8Array = NO_BYTES
    let decoded: Decoded
    try {
      raw = await driver.acquire(this.#port, options, this.#tools(signal), this.#setup)
    } catch (error) {
      return signal.aborted ? undefined : this.#failed(error, startedMs, raw)
    }
    const takenAtUs = clock.nowUs()
    const tookMs = time.monotonicMs() - startedMs
    figures.duration.record(tookMs / 1000)
    try {
      decoded = raw.length === 0 ? [] : driver.decode(raw, this.#calibration, options)
    } catch (error) {
      // Drivers promise not to throw here; one from outside may.
      decoded = { fault: 'decode', message: `The driver could not decode its bytes: ${messageOf(error)}.` }
    }
    const fault = isFault(decoded) ? decoded : undefined
    if (observation.isWatched) {
      const rest = { ...(raw.length === 0 ? {} : { decoded }), ...(fault === undefined ? {} : { fault }) }
      observation.acquisition({ device, takenAtUs, tookMs, raw, setup: this.#setup, ...rest })
    }
    if (fault !== undefined) {
      figures.fail(fault, takenAtUs)
      return fault
    }
    figures.succeed(takenAtUs)
    await this.#offer.offer(decoded as Exclude<Decoded, Fault>, takenAtUs, this.#rawOf(raw), signal)
    return undefined
  }

  #rawOf(raw: Uint8Array): Uint8Array | undefined {
    return this.#options.keepRaw && raw.length > 0 ? raw.subarray(0, MAX_RAW_BYTES) : undefined
  }

  #failed(error: unknown, startedMs: number, raw: Uint8Array): Fault {
    const { time, clock, figures, observation, device } = this.#options
    const fault = { fault: faultOf(error), message: messageOf(error) }
    const takenAtUs = clock.nowUs()
    figures.fail(fault, takenAtUs)
    if (observation.isWatched) {
      const tookMs = time.monotonicMs() - startedMs
      observation.acquisition({ device, takenAtUs, tookMs, raw, setup: this.#setup, fault })
    }
    return fault
  }

  #tools(signal: AbortSignal): DriverTools {
    return { pause: (ms) => waitFor(this.#options.time, ms, signal), fault: readFault }
  }
}
