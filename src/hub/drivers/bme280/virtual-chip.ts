import { type NowMs, processClock } from '../registers/virtual-word-registers.js'
import {
  CHIP_ID,
  COPYING,
  FILTER,
  MEASURING,
  MODE,
  REGISTER,
  RESET_WORD,
  SKIPPED_16,
  SKIPPED_20,
  STANDBY_MS,
} from './bme280-registers.js'
import { type Bme280Calibration, readCalibration } from './calibration.js'
import { fineTemperature } from './compensate.js'
import { humidityCode, pressureCode, temperatureCode } from './inverse.js'

/**
 * T and P are the example of the BMP280 datasheet (section 3.12), H are those of a usual part with H4 and H5 as the
 * twelve-bit numbers that they are.
 */
export const EXAMPLE_CALIBRATION = Uint8Array.of(
  ...[0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, 0x7d, 0x8e, 0x43, 0xd6, 0xd0, 0x0b, 0x27, 0x0b, 0x8c, 0x00],
  ...[0xf9, 0xff, 0x8c, 0x3c, 0xf8, 0xc6, 0x70, 0x17, 0x00, 0x4b, 0x63, 0x01, 0x00, 0x15, 0x05, 0x00, 0x1e],
)
const WRITABLE: readonly number[] = [REGISTER.reset, REGISTER.ctrlHum, REGISTER.ctrlMeas, REGISTER.config]
/** What is sensed until something else is set. */
const AT_FIRST = { temperature: 21.5, pressure: 101_325, relative_humidity: 45 }
const START_MS = 2
/** What is stepped of the filter at most; by then it has settled. */
const MOST_CYCLES = 64

/** The registers and the measuring of a BME280 or BMP280, without its bus. */
export class VirtualChip {
  readonly #chip: 'bme280' | 'bmp280'
  readonly #nowMs: NowMs
  readonly #calibrationBytes: Uint8Array
  readonly #calibration: Bme280Calibration
  readonly #registers = new Uint8Array(256)
  readonly #senses = { ...AT_FIRST }
  /** Takes effect with a write to ctrl_meas. */
  #osrsH = 0
  #copiedAtMs = 0
  /** Start of the first measurement of this mode; `undefined` in sleep. */
  #startedAtMs: number | undefined
  #cyclesDone = 0
  #filtered: { temperature: number; pressure: number } | undefined

  constructor(
    chip: 'bme280' | 'bmp280',
    calibrationBytes: Uint8Array = EXAMPLE_CALIBRATION,
    nowMs: NowMs = processClock,
  ) {
    this.#chip = chip
    this.#nowMs = nowMs
    this.#calibrationBytes = calibrationBytes.slice(0, chip === 'bmp280' ? 24 : 33)
    this.#calibration = readCalibration(this.#calibrationBytes, chip, (_kind, message) => new RangeError(message))
    this.reset()
  }

  set(channel: string, value: number): void {
    if (!(channel in this.#senses) || (this.#chip === 'bmp280' && channel === 'relative_humidity')) {
      throw new RangeError(`There is no channel ${channel}.`)
    }
    this.#senses[channel as keyof typeof AT_FIRST] = value
  }

  reset(): void {
    this.#registers.fill(0)
    this.#registers[REGISTER.id] = CHIP_ID[this.#chip]
    this.#registers.set(this.#calibrationBytes.subarray(0, 26), REGISTER.calibration)
    this.#registers.set(this.#calibrationBytes.subarray(26), REGISTER.humidityCalibration)
    this.#osrsH = 0
    this.#startedAtMs = undefined
    this.#filtered = undefined
    this.#copiedAtMs = this.#nowMs() + START_MS
    this.#show(SKIPPED_20, SKIPPED_20, SKIPPED_16)
  }

  write(register: number, value: number): void {
    if (!WRITABLE.includes(register) || (register === REGISTER.ctrlHum && this.#chip === 'bmp280')) return
    if (register === REGISTER.reset) {
      if (value === RESET_WORD) this.reset()
      return
    }
    this.#measure()
    // In normal mode writes to config may be ignored (section 5.4.6): this chip does ignore them.
    if (register === REGISTER.config && this.#mode === MODE.normal) return
    this.#registers[register] = register === REGISTER.ctrlHum ? value & 0x07 : value
    if (register !== REGISTER.ctrlMeas) return
    this.#osrsH = this.#registers[REGISTER.ctrlHum]
    this.#startedAtMs = this.#mode === MODE.sleep ? undefined : this.#nowMs()
    this.#cyclesDone = 0
  }

  /** One burst: the data does not change while it is read (shadowing, section 4). */
  read(from: number, count: number): Uint8Array {
    this.#measure()
    this.#registers[REGISTER.status] = this.#status()
    return Uint8Array.from({ length: count }, (_, at) => this.#registers[(from + at) & 0xff])
  }

  get #mode(): number {
    const mode = this.#registers[REGISTER.ctrlMeas] & 0x03
    return mode === 2 ? MODE.forced : mode
  }

  #status(): number {
    const nowMs = this.#nowMs()
    const isCopying = nowMs < this.#copiedAtMs
    const started = this.#startedAtMs
    const isMeasuring = started !== undefined && (nowMs - started) % this.#cycleMs() < this.#measureMs()
    return (isMeasuring ? MEASURING : 0) | (isCopying ? COPYING : 0)
  }

  /** Typical time of one measurement (appendix B, 9.1). */
  #measureMs(): number {
    const part = (code: number) => (code === 0 ? 0 : 2 * this.#times(code) + 0.5)
    return 1 + 2 * this.#times(this.#osrsT) + part(this.#osrsP) + part(this.#osrsH)
  }

  #cycleMs(): number {
    if (this.#mode !== MODE.normal) return Number.POSITIVE_INFINITY
    return this.#measureMs() + Number(STANDBY_MS[this.#registers[REGISTER.config] >> 5] ?? 10)
  }

  get #osrsT(): number {
    return this.#registers[REGISTER.ctrlMeas] >> 5
  }

  get #osrsP(): number {
    return (this.#registers[REGISTER.ctrlMeas] >> 2) & 0x07
  }

  #times(code: number): number {
    return code === 0 ? 0 : 2 ** (Math.min(code, 5) - 1)
  }

  /** Brings the data registers to what is measured by now. */
  #measure(): void {
    const started = this.#startedAtMs
    if (started === undefined) return
    const passedMs = this.#nowMs() - started
    const isFirstDone = passedMs >= this.#measureMs()
    const done = isFirstDone ? 1 + Math.floor((passedMs - this.#measureMs()) / this.#cycleMs()) : 0
    for (let cycle = Math.max(this.#cyclesDone, done - MOST_CYCLES); cycle < done; cycle++) this.#convert()
    this.#cyclesDone = done
    if (this.#mode === MODE.forced && done > 0) {
      this.#registers[REGISTER.ctrlMeas] &= 0xfc
      this.#startedAtMs = undefined
    }
  }

  #convert(): void {
    const { temperature, pressure, relative_humidity } = this.#senses
    const exact = temperatureCode(temperature, this.#calibration)
    // Pressure and humidity are sensed at the temperature that the chip will be found to have measured.
    const fine = fineTemperature(this.#rounded(exact, this.#osrsT), this.#calibration)
    const filtered = this.#filter(exact, pressureCode(pressure, fine, this.#calibration))
    const humidity = this.#calibration.h ? humidityCode(relative_humidity, fine, this.#calibration.h) : SKIPPED_16
    this.#show(
      this.#osrsP === 0 ? SKIPPED_20 : this.#rounded(filtered.pressure, this.#osrsP),
      this.#osrsT === 0 ? SKIPPED_20 : this.#rounded(filtered.temperature, this.#osrsT),
      this.#osrsH === 0 ? SKIPPED_16 : Math.min(Math.max(Math.round(humidity), 0), 0xffff),
    )
  }

  /** The filter begins with the first measurement, then each counts 1/coefficient (section 3.4.4). */
  #filter(temperature: number, pressure: number) {
    const coefficient = 2 ** this.#filterCode
    const before = this.#filtered ?? { temperature, pressure }
    const mixed = (old: number, now: number) => old + (now - old) / coefficient
    this.#filtered = {
      temperature: mixed(before.temperature, temperature),
      pressure: mixed(before.pressure, pressure),
    }
    return this.#filtered
  }

  get #filterCode(): number {
    return Math.min((this.#registers[REGISTER.config] >> 2) & 0x07, FILTER.length - 1)
  }

  /** 16 bits and one more for each doubling, 20 with the filter (section 3.4.1), in steps of the 20-bit code. */
  #rounded(code: number, osrs: number): number {
    const step = this.#filterCode > 0 ? 1 : 2 ** (5 - Math.min(Math.max(osrs, 1), 5))
    return Math.min(Math.max(Math.round(code / step) * step, 0), 0x100000 - step)
  }

  #show(pressure: number, temperature: number, humidity: number): void {
    const twenty = (code: number) => [code >> 12, (code >> 4) & 0xff, (code << 4) & 0xf0]
    const bytes = [...twenty(pressure), ...twenty(temperature)]
    if (this.#chip === 'bme280') bytes.push(humidity >> 8, humidity & 0xff)
    this.#registers.set(bytes, REGISTER.data)
  }
}
