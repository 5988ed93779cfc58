import { Random } from '../sim/random.js'

export const DEVICE_STATES = ['Idle', 'Measuring', 'Error', 'SafeState'] as const
export type CommandDeviceState = (typeof DEVICE_STATES)[number]

export const MIN_RATE_MS = 10
export const MAX_RATE_MS = 10_000
export const DEFAULT_RATE_MS = 100
/** A longer command is none. */
export const MAX_COMMAND_BYTES = 256
export const MAX_ANSWER_BYTES = 256

export interface CommandDeviceOptions {
  /** It latches `SafeState` after so many samples; 0: never. */
  readonly faultAfterSamples: number
  readonly seed: number
}

/**
 * The device of the first TelemetryHub, with its commands and its answers to the letter: `CALIBRATE`, `GET_STATUS`,
 * `RESET`, `SET_RATE=<ms>`. Its samples could not be had over the line; `START`, `STOP` and lines of samples are new.
 * No timers and no line: who owns it asks for a sample each `rateMs`.
 */
export class CommandDevice {
  readonly #options: CommandDeviceOptions
  readonly #random: Random
  #state: CommandDeviceState = 'Idle'
  #sequence = 0
  #rateMs = DEFAULT_RATE_MS
  #set: number | undefined

  constructor(options: CommandDeviceOptions) {
    this.#options = options
    this.#random = new Random(options.seed)
  }

  get state(): CommandDeviceState {
    return this.#state
  }

  get rateMs(): number {
    return this.#rateMs
  }

  /** What it senses from now on, without noise, in place of its wave. */
  sense(value: number): void {
    this.#set = value
  }

  powerCycle(): void {
    this.#state = 'Idle'
    this.#sequence = 0
    this.#rateMs = DEFAULT_RATE_MS
  }

  /** @param line without its end. @returns the answer, without one */
  execute(line: string): string {
    const command = line.trim()
    if (command === '') return 'ERROR: Empty command'
    if (command.startsWith('SET_RATE=')) return this.#setRate(command.slice('SET_RATE='.length))
    switch (command) {
      case 'CALIBRATE':
        if (this.#state !== 'Measuring') return 'ERROR: Device not measuring'
        this.#sequence = 0
        return 'OK: Calibrated'
      case 'GET_STATUS':
        return this.#status()
      case 'RESET':
        this.#state = 'Idle'
        this.#sequence = 0
        return 'OK: Reset to Idle'
      case 'START':
        return this.#start()
      case 'STOP':
        if (this.#isLatched()) return this.#refusal()
        this.#state = 'Idle'
        return 'OK: Stopped'
      default:
        return 'ERROR: Unknown command'
    }
  }

  /** The line of the next sample, or of the fault that ends measuring; `undefined`: it does not measure. */
  sample(): string | undefined {
    if (this.#state !== 'Measuring') return undefined
    const { faultAfterSamples } = this.#options
    if (faultAfterSamples > 0 && this.#sequence >= faultAfterSamples) {
      this.#state = 'SafeState'
      return this.#status()
    }
    const value = this.#set ?? 42 + Math.sin(this.#sequence / 10) + 0.1 * this.#noise()
    return `SAMPLE: ${value.toFixed(6)}, Seq=${this.#sequence++}`
  }

  #start(): string {
    if (this.#isLatched()) return this.#refusal()
    if (this.#state === 'Idle') this.#sequence = 0
    this.#state = 'Measuring'
    return 'OK: Measuring'
  }

  #setRate(text: string): string {
    if (!/^[+-]?\d+$/.test(text.trim())) return 'ERROR: Invalid rate value'
    const rateMs = Number(text)
    if (rateMs < MIN_RATE_MS || rateMs > MAX_RATE_MS) return `ERROR: Rate must be ${MIN_RATE_MS}-${MAX_RATE_MS} ms`
    this.#rateMs = rateMs
    return `OK: Rate set to ${rateMs} ms`
  }

  #status(): string {
    return `STATUS: ${this.#state}, Seq=${this.#sequence}`
  }

  #isLatched(): boolean {
    return this.#state === 'SafeState' || this.#state === 'Error'
  }

  #refusal(): string {
    return `ERROR: Device in ${this.#state}`
  }

  /** Box and Muller 1958. */
  #noise(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random.next())) * Math.cos(2 * Math.PI * this.#random.next())
  }
}
