import type { VirtualI2cDevice } from '../contract/virtual-device.js'
import { COUNT_MAX, countStep, illuminance } from './illuminance.js'
import {
  MEASUREMENT_TIME_DEFAULT,
  ONE_TIME,
  POWER_DOWN,
  POWER_ON,
  RESET,
  type Resolution,
  scaledMs,
  TYPICAL_MS,
} from './opcodes.js'

/** Measures again and again: the one-time opcodes, 0x10 lower. */
const CONTINUOUS_BELOW_ONE_TIME = 0x10

interface Measurement {
  readonly resolution: Resolution
  readonly endsAtMs: number
  readonly isContinuous: boolean
}

/** A BH1750 byte for byte: opcodes, measurement time, its result after the typical duration, power down after one. */
export class VirtualBh1750 implements VirtualI2cDevice {
  readonly bus = 'i2c'
  #lux = 0
  #isOn = false
  #measurementTime = MEASUREMENT_TIME_DEFAULT
  #count = 0
  #measurement: Measurement | undefined

  set(channel: string, value: number): void {
    if (channel !== 'illuminance') throw new RangeError(`There is no channel ${channel}.`)
    this.#lux = value
  }

  powerCycle(): void {
    this.#isOn = false
    this.#measurementTime = MEASUREMENT_TIME_DEFAULT
    this.#count = 0
    this.#measurement = undefined
  }

  write(bytes: Uint8Array): number {
    this.#settle()
    for (const opcode of bytes) this.#obey(opcode)
    return bytes.length
  }

  read(count: number): Uint8Array {
    this.#settle()
    const result = [this.#count >> 8, this.#count & 0xff]
    return Uint8Array.from({ length: count }, (_, at) => result[at] ?? 0xff)
  }

  #obey(opcode: number): void {
    if (opcode === POWER_DOWN) {
      this.#isOn = false
      this.#measurement = undefined
    } else if (opcode === POWER_ON) this.#isOn = true
    else if (opcode === RESET) this.#count = this.#isOn ? 0 : this.#count
    else if (opcode >> 3 === 0b01000) this.#setMeasurementTime((opcode & 0x07) << 5, 0x1f)
    else if (opcode >> 5 === 0b011) this.#setMeasurementTime(opcode & 0x1f, 0xe0)
    else this.#measure(opcode)
  }

  #setMeasurementTime(bits: number, kept: number): void {
    this.#measurementTime = (this.#measurementTime & kept) | bits
  }

  #measure(opcode: number): void {
    for (const resolution of Object.keys(ONE_TIME) as Resolution[]) {
      const isContinuous = opcode === ONE_TIME[resolution] - CONTINUOUS_BELOW_ONE_TIME
      if (!isContinuous && opcode !== ONE_TIME[resolution]) continue
      this.#isOn = true
      const takesMs = scaledMs(TYPICAL_MS[resolution], this.#measurementTime)
      this.#measurement = { resolution, endsAtMs: performance.now() + takesMs, isContinuous }
    }
  }

  #settle(): void {
    const measurement = this.#measurement
    if (!measurement || performance.now() < measurement.endsAtMs) return
    const step = countStep(measurement.resolution)
    const luxPerStep = illuminance(step, measurement.resolution, this.#measurementTime)
    this.#count = Math.min(COUNT_MAX, step * Math.round(this.#lux / luxPerStep))
    if (measurement.isContinuous) return
    this.#measurement = undefined
    this.#isOn = false
  }
}
