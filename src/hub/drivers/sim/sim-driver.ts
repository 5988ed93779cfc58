import { TelemetryError } from '#core/errors/telemetry-error'
import { pause } from '#core/time/pause'
import type { Driver, DriverContext } from '../driver.js'
import { roomOrAbort } from '../text/offer.js'
import { FaultScript } from './fault-script.js'
import { createGaussianTable, GAUSSIAN_MASK } from './gaussian-table.js'
import { Random } from './random.js'
import type { SimOptions } from './sim-options.js'
import { WAVEFORMS, type Waveform } from './waveform.js'

/** The main thread serves all devices: after so long at a stretch the others have their turn. */
const TURN_MS = 2
/** Values between two looks at the clock: some ten microseconds of work. */
const VALUES_PER_LOOK = 256
/** When the host's wall clock and the schedule are further apart, the clock was set, and the schedule follows. */
const CLOCK_STEP_US = 50_000

/**
 * A simulated device on an open-loop schedule: reading k is due, and stamped, k periods after the start, however late
 * it is made; a late device catches up.
 *
 * Cost: no allocation per reading; one core of 2020 keeps up with 10 M values/s into a sink that does nothing.
 * @throws TLM_OPTIONS_INVALID
 */
export function createSimDriver(options: SimOptions, context: DriverContext): Driver {
  const { channels, samplesPerSecond, intervalMs } = options
  if (!Number.isInteger(channels) || channels < 1 || channels > 4096) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `channels must be a whole number 1..4096, not ${channels}.`)
  }
  if (samplesPerSecond !== undefined && !(samplesPerSecond > 0 && samplesPerSecond <= 10_000_000)) {
    throw new TelemetryError(
      'TLM_OPTIONS_INVALID',
      `samplesPerSecond must be within 0..10000000, not ${samplesPerSecond}.`,
    )
  }
  if (!(intervalMs >= 0.0001 && intervalMs <= 3_600_000)) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `intervalMs must be within 0.0001..3600000, not ${intervalMs}.`)
  }
  return new SimDriver(options, context)
}

class SimDriver implements Driver {
  readonly #context: DriverContext
  readonly #wave: Waveform
  readonly #periodUs: number
  readonly #readings: number
  readonly #random: Random
  readonly #gaussian: Float64Array
  readonly #faults: FaultScript
  readonly #readingsPerLook: number
  #series = new Uint32Array(0)
  #values = new Float64Array(0)
  /** Number of the next reading since the driver was opened. */
  #index = 0
  /** The ring had no room for the reading at hand: it is kept as it is and offered again. */
  #isHeld = false
  /** Wall time of reading 0. */
  #originUs = 0
  #originMs = 0

  constructor(options: SimOptions, context: DriverContext) {
    const { profile, samplesPerSecond, channels, intervalMs, seed } = options
    this.#context = context
    this.#wave = WAVEFORMS[profile]
    this.#periodUs = samplesPerSecond === undefined ? intervalMs * 1000 : (channels * 1_000_000) / samplesPerSecond
    this.#readings = options.readings ?? Number.POSITIVE_INFINITY
    this.#random = new Random(seed)
    this.#gaussian = createGaussianTable(seed)
    this.#faults = new FaultScript(options.faults, new Random(~seed))
    this.#readingsPerLook = Math.max(1, Math.floor(VALUES_PER_LOOK / channels))
    this.#internSeries(channels)
  }

  async open(): Promise<void> {
    this.#index = 0
    this.#isHeld = false
  }

  async close(): Promise<void> {}

  async run(signal: AbortSignal): Promise<'stopped' | 'ended'> {
    const { clock, sink } = this.#context
    this.#originMs = clock.monotonicMs() - (this.#index * this.#periodUs) / 1000
    this.#originUs = clock.nowUs() - this.#index * this.#periodUs
    while (!signal.aborted) {
      const isFull = !this.#emitDue()
      if (this.#index >= this.#readings) return 'ended'
      if (isFull) await roomOrAbort(sink, signal)
      else await this.#untilNextDue(signal)
    }
    return 'stopped'
  }

  /** Emits what is due, for one turn of the event loop at most; `false` when the ring is full. */
  #emitDue(): boolean {
    const { clock } = this.#context
    const startedMs = clock.monotonicMs()
    this.#followClock(startedMs)
    let nowMs = startedMs
    do {
      const due = Math.floor(((nowMs - this.#originMs) * 1000) / this.#periodUs) + 1
      const until = Math.min(due, this.#index + this.#readingsPerLook, this.#readings)
      if (this.#index >= until) return true
      if (!this.#emitUntil(until)) return false
      nowMs = clock.monotonicMs()
    } while (nowMs - startedMs < TURN_MS)
    return true
  }

  #emitUntil(until: number): boolean {
    const { sink } = this.#context
    for (; this.#index < until; this.#index++) {
      const takenAtUs = Math.round(this.#originUs + this.#index * this.#periodUs)
      if (!this.#isHeld) {
        if (this.#faults.isActive) {
          if (!this.#makeFaulty(takenAtUs)) continue
        } else this.#make(takenAtUs)
      }
      this.#isHeld = !sink.reading(takenAtUs, this.#series, this.#values)
      if (this.#isHeld) return false
    }
    return true
  }

  #make(takenAtUs: number): void {
    const values = this.#values
    const gaussian = this.#gaussian
    const random = this.#random
    const { sigma } = this.#wave
    const level = this.#wave.level(this.#index, takenAtUs)
    for (let i = 0; i < values.length; i++) values[i] = level + sigma * gaussian[random.nextInt() & GAUSSIAN_MASK]
  }

  /** @returns whether there is a reading to offer */
  #makeFaulty(takenAtUs: number): boolean {
    const loss = this.#faults.loss(this.#index)
    if (loss !== undefined) {
      this.#context.sink.reject(loss, `reading ${this.#index}`)
      this.#faults.checkConsecutiveErrors()
      return false
    }
    if (this.#faults.isStuck()) return true
    this.#make(takenAtUs)
    for (let i = 0; i < this.#values.length; i++) this.#values[i] += this.#faults.spike()
    return true
  }

  async #untilNextDue(signal: AbortSignal): Promise<void> {
    const dueMs = this.#originMs + (this.#index * this.#periodUs) / 1000
    const waitMs = dueMs - this.#context.clock.monotonicMs()
    if (waitMs > 0) await pause(Math.ceil(waitMs), signal)
    else await new Promise((resolve) => setImmediate(resolve))
  }

  /** Stamps follow the wall clock when it is set; small drift is left to the next start. */
  #followClock(nowMs: number): void {
    const driftUs = this.#context.clock.nowUs() - this.#originUs - (nowMs - this.#originMs) * 1000
    if (Math.abs(driftUs) > CLOCK_STEP_US) this.#originUs += driftUs
  }

  #internSeries(channels: number): void {
    const { sink } = this.#context
    const { channel, unit } = this.#wave
    const ids: number[] = []
    for (let i = 1; i <= channels; i++) {
      const id = sink.series(channels === 1 ? channel : `${channel}-${i}`, unit)
      if (id !== undefined) ids.push(id)
    }
    this.#series = Uint32Array.from(ids)
    this.#values = new Float64Array(ids.length)
  }
}
