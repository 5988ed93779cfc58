import { type NowMs, processClock, VirtualWordRegisters } from '../registers/virtual-word-registers.js'
import {
  BUS_STEP_V,
  CONVERTED,
  GAIN_V,
  MODE,
  OVERFLOW,
  REGISTER,
  RESET,
  RESET_CONFIG,
  SHUNT_STEP_V,
} from './ina219-registers.js'

/** Typical conversion of one sample of 12 bits, milliseconds. */
const SAMPLE_MS = 0.532
/** By which the chip makes current of the shunt register, and power of current and bus (equations 4 and 5); they do not say how is rounded. */
const CURRENT_DIVISOR = 4096
const POWER_DIVISOR = 5000

/** A shunt with a current through it, and the voltage behind it. */
export class VirtualIna219 extends VirtualWordRegisters {
  readonly #shuntOhms: number
  readonly #nowMs: NowMs
  #amperes = 0.25
  #volts = 12
  #config = RESET_CONFIG
  #calibration = 0
  #shunt = 0
  #bus = 0
  #isConverted = false
  #doneAtMs: number | undefined

  constructor(shuntOhms: number, nowMs: NowMs = processClock) {
    super()
    this.#shuntOhms = shuntOhms
    this.#nowMs = nowMs
    this.reset()
  }

  /** Shunt voltage and power set the current that they need. */
  set(channel: string, value: number): void {
    if (channel === 'bus_voltage') this.#volts = value
    else if (channel === 'current') this.#amperes = value
    else if (channel === 'shunt_voltage') this.#amperes = value / this.#shuntOhms
    else if (channel === 'power') this.#amperes = this.#volts === 0 ? 0 : value / this.#volts
    else throw new RangeError(`There is no channel ${channel}.`)
  }

  protected reset(): void {
    this.#calibration = 0
    this.#shunt = 0
    this.#bus = 0
    this.#begin(RESET_CONFIG)
  }

  protected readRegister(register: number): number {
    this.#convert()
    switch (register) {
      case REGISTER.config:
        return this.#config
      case REGISTER.shunt:
        return this.#shunt & 0xffff
      case REGISTER.bus:
        return (this.#bus << 3) | (this.#isConverted ? CONVERTED : 0) | (this.#isBeyond() ? OVERFLOW : 0)
      case REGISTER.power:
        this.#isConverted = false
        return this.#power() & 0xffff
      case REGISTER.current:
        return this.#current() & 0xffff
      case REGISTER.calibration:
        return this.#calibration
      default:
        return 0
    }
  }

  protected writeRegister(register: number, word: number): void {
    this.#convert()
    if (register === REGISTER.calibration) this.#calibration = word & 0xfffe
    else if (register === REGISTER.config && word & RESET) this.reset()
    else if (register === REGISTER.config) this.#begin(word)
  }

  /** A write to config ends what was converted and begins anew. */
  #begin(config: number): void {
    this.#config = config
    this.#isConverted = false
    const mode = config & 7
    this.#doneAtMs = mode === MODE.powerDown || mode === 4 ? undefined : this.#nowMs() + this.#conversionMs()
  }

  #convert(): void {
    const doneAtMs = this.#doneAtMs
    if (doneAtMs === undefined || this.#nowMs() < doneAtMs) return
    const limit = Math.round(GAIN_V[(this.#config >> 11) & 3] / SHUNT_STEP_V)
    const shunt = Math.round((this.#amperes * this.#shuntOhms) / SHUNT_STEP_V)
    const highest = this.#config & 0x2000 ? 8000 : 4000
    this.#shunt = Math.min(Math.max(shunt, -limit), limit)
    this.#bus = Math.min(Math.max(Math.round(this.#volts / BUS_STEP_V), 0), highest)
    this.#isConverted = true
    // Bit 2 of the mode: continuous.
    this.#doneAtMs = this.#config & 4 ? this.#nowMs() + this.#conversionMs() : undefined
  }

  #conversionMs(): number {
    return SAMPLE_MS * (samples((this.#config >> 7) & 15) + samples((this.#config >> 3) & 15))
  }

  #current(): number {
    return Math.round((this.#shunt * this.#calibration) / CURRENT_DIVISOR)
  }

  #power(): number {
    return Math.round((Math.abs(this.#current()) * this.#bus) / POWER_DIVISOR)
  }

  #isBeyond(): boolean {
    return Math.abs(this.#current()) > 0x7fff || this.#power() > 0xffff
  }
}

/** Averaged samples of an ADC code; fewer bits than 12 are a fraction of one. */
function samples(code: number): number {
  return code >= 8 ? 2 ** (code - 8) : 2 ** ((code & 3) - 3)
}
