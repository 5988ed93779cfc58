import { ResultCounts } from '../buses/bus-meter.js'
import type { Fault, FaultKind } from '../drivers/contract/fault.js'
import { DurationBuckets } from './duration-buckets.js'

/** Seconds; a long conversion takes most of one. */
export const DURATION_BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** The last thing that went wrong with a device. */
export interface LastFault extends Fault {
  readonly atUs: number
}

export interface ReadingFiguresOptions {
  readonly device: string
  /** Hears a fault when it is another kind than the one before, or the first after a success. */
  readonly onFault?: (device: string, fault: Fault) => void
  /** Hears the first success after a fault. */
  readonly onWell?: (device: string, after: Fault) => void
}

/** What became of a device's readings. Thread: the hub's main thread. */
export class ReadingFigures {
  /** Acquisitions, or frames, by result. */
  readonly reads = new ResultCounts()
  /** Time from the first call of an acquisition to its last. */
  readonly duration = new DurationBuckets(DURATION_BOUNDS)
  /** Due times at which nothing was read, as the reading before had not ended. */
  missed = 0
  reinitializations = 0
  /** Of a device that talks by itself: bytes that belong to no frame. */
  skippedBytes = 0
  readonly #options: ReadingFiguresOptions
  #lastSuccessUs: number | undefined
  #lastFault: LastFault | undefined
  #fault: Fault | undefined

  constructor(options: ReadingFiguresOptions) {
    this.#options = options
  }

  /** Wall time; `undefined`: none yet. */
  get lastSuccessUs(): number | undefined {
    return this.#lastSuccessUs
  }

  /** Stays after the device is well again. */
  get lastFault(): LastFault | undefined {
    return this.#lastFault
  }

  /** What is wrong now. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  succeed(atUs: number): void {
    this.reads.add('ok')
    this.#lastSuccessUs = atUs
    const after = this.#fault
    if (after === undefined) return
    this.#fault = undefined
    this.#options.onWell?.(this.#options.device, after)
  }

  fail({ fault, message }: { fault: FaultKind; message: string }, atUs: number): void {
    this.reads.add(fault)
    const before = this.#fault
    this.#fault = { fault, message }
    this.#lastFault = { fault, message, atUs }
    if (before?.fault !== fault) this.#options.onFault?.(this.#options.device, this.#fault)
  }
}
