import { type NowMs, processClock, VirtualWordRegisters } from '../registers/virtual-word-registers.js'
import { IDLE, INPUTS, type Input, meaningOf, nameOf, REGISTER, RESET_CONFIG, SINGLE_SHOT } from './ads1115-config.js'

const CODES = 32_768

/** One converter behind a multiplexer: a conversion takes its time, and OS reads 0 until it is done. */
export class VirtualAds1115 extends VirtualWordRegisters {
  readonly #nowMs: NowMs
  /** Volts at AIN0..AIN3, and differences that were set by themselves. */
  readonly #senses = new Map<Input, number>([
    ['0', 0.5],
    ['1', 1],
    ['2', 1.5],
    ['3', 2],
  ])
  #config = RESET_CONFIG
  #conversion = 0
  readonly #thresholds = [0x8000, 0x7fff]
  #doneAtMs: number | undefined

  constructor(nowMs: NowMs = processClock) {
    super()
    this.#nowMs = nowMs
  }

  set(channel: string, value: number): void {
    const input = INPUTS.find((one) => nameOf(one) === channel)
    if (!input) throw new RangeError(`There is no channel ${channel}.`)
    this.#senses.set(input, value)
  }

  protected reset(): void {
    this.#config = RESET_CONFIG
    this.#conversion = 0
    this.#thresholds.splice(0, 2, 0x8000, 0x7fff)
    this.#doneAtMs = undefined
  }

  protected readRegister(register: number): number {
    this.#convert()
    switch (register & 3) {
      case REGISTER.conversion:
        return this.#conversion
      case REGISTER.config:
        return this.#doneAtMs === undefined ? this.#config | IDLE : this.#config & ~IDLE
      default:
        return this.#thresholds[(register & 3) - REGISTER.lowThreshold]
    }
  }

  protected writeRegister(register: number, word: number): void {
    this.#convert()
    if (register === REGISTER.config) {
      this.#config = word
      const begins = (word & IDLE) !== 0 || (word & SINGLE_SHOT) === 0
      this.#doneAtMs = begins ? this.#nowMs() + 1000 / meaningOf(word).samplesPerSecond : undefined
    } else if (register === REGISTER.lowThreshold) this.#thresholds[0] = word
    else if (register === REGISTER.highThreshold) this.#thresholds[1] = word
  }

  #convert(): void {
    if (this.#doneAtMs === undefined || this.#nowMs() < this.#doneAtMs) return
    const { input, fullScaleV, samplesPerSecond } = meaningOf(this.#config)
    const code = Math.round((this.#volts(input) / fullScaleV) * CODES)
    this.#conversion = Math.min(Math.max(code, -CODES), CODES - 1) & 0xffff
    const isSingle = (this.#config & SINGLE_SHOT) !== 0
    this.#doneAtMs = isSingle ? undefined : this.#nowMs() + 1000 / samplesPerSecond
  }

  #volts(input: Input): number {
    const [plus, minus] = input.split('-') as [Input, Input?]
    return this.#senses.get(input) ?? this.#senses.get(plus)! - (minus ? this.#senses.get(minus)! : 0)
  }
}
