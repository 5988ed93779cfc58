import type { VirtualI2cDevice } from '../contract/virtual-device.js'
import { type NowMs, processClock } from '../registers/virtual-word-registers.js'
import {
  CHIPS,
  DEVICE_RESET,
  FIFO_ALL,
  FIFO_ON,
  FIFO_OVERFLOW,
  FIFO_RESET,
  FRAME_BYTES,
  MPU6050_ID,
  REGISTER,
  SLEEP,
  STANDARD_GRAVITY,
} from './mpu6050-registers.js'

/** Order of the words of a frame. */
const CHANNELS = [
  ...['acceleration_x', 'acceleration_y', 'acceleration_z'],
  'temperature',
  ...['angular_velocity_x', 'angular_velocity_y', 'angular_velocity_z'],
]
const REGISTERS = 128
/** Steps in one degree a second by FS_SEL (register map, section 4.19). */
const PER_DPS = [131, 65.5, 32.8, 16.4]

/** Samples at its rate from its clock into its registers and its FIFO, which runs over when nobody reads it. */
export class VirtualMpu6050 implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly #id: number
  readonly #nowMs: NowMs
  readonly #registers = new Uint8Array(REGISTERS)
  readonly #senses = new Map(CHANNELS.map((name) => [name, name === 'acceleration_z' ? STANDARD_GRAVITY : 0.5]))
  #pointer = 0
  #fifo: number[] = []
  /** An empty FIFO gives this again (register map, section 4.31). */
  #lastFromFifo = 0
  #nextAtMs = 0

  constructor(_options?: unknown, nowMs: NowMs = processClock, id = MPU6050_ID) {
    this.#id = id
    this.#nowMs = nowMs
    this.powerCycle()
  }

  set(channel: string, value: number): void {
    if (!this.#senses.has(channel)) throw new RangeError(`There is no channel ${channel}.`)
    this.#sample()
    this.#senses.set(channel, value)
  }

  powerCycle(): void {
    this.#registers.fill(0)
    this.#registers[REGISTER.whoAmI] = this.#id
    this.#registers[REGISTER.power] = SLEEP
    this.#fifo = []
    this.#nextAtMs = this.#nowMs() + this.#periodMs()
  }

  write(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    this.#pointer = bytes[0]
    for (const value of bytes.subarray(1)) {
      this.#writeRegister(this.#pointer % REGISTERS, value)
      this.#pointer++
    }
    return bytes.length
  }

  read(count: number): Uint8Array {
    this.#sample()
    return Uint8Array.from({ length: count }, () => {
      const register = this.#pointer % REGISTERS
      if (register === REGISTER.fifoData) return this.#fromFifo()
      // The count is latched with its high byte, so that a burst of both fits together.
      if (register === REGISTER.fifoCount) {
        this.#registers[REGISTER.fifoCount] = this.#fifo.length >> 8
        this.#registers[REGISTER.fifoCount + 1] = this.#fifo.length & 0xff
      }
      const value = this.#registers[register]
      if (register === REGISTER.interruptStatus) this.#registers[register] = 0
      this.#pointer++
      return value
    })
  }

  #writeRegister(register: number, value: number): void {
    this.#sample()
    if (register === REGISTER.power && value & DEVICE_RESET) {
      this.powerCycle()
      return
    }
    if (register === REGISTER.whoAmI || (register >= REGISTER.data && register < REGISTER.data + FRAME_BYTES)) return
    const isAsleep = this.#isAsleep()
    this.#registers[register] = value
    if (register === REGISTER.userControl && value & FIFO_RESET) {
      if ((value & FIFO_ON) === 0) this.#fifo = []
      this.#registers[register] &= ~FIFO_RESET
    }
    const isRateChanged = register === REGISTER.divider || register === REGISTER.config
    if (isRateChanged || isAsleep !== this.#isAsleep()) this.#nextAtMs = this.#nowMs() + this.#periodMs()
  }

  #isAsleep(): boolean {
    return (this.#registers[REGISTER.power] & SLEEP) !== 0
  }

  /** 1 kHz with a filter, 8 kHz without (register map, section 4.2). */
  #periodMs(): number {
    const filter = this.#registers[REGISTER.config] & 7
    const baseMs = filter === 0 || filter === 7 ? 0.125 : 1
    return baseMs * (1 + this.#registers[REGISTER.divider])
  }

  #sample(): void {
    const nowMs = this.#nowMs()
    if (this.#isAsleep() || nowMs < this.#nextAtMs) return
    const periodMs = this.#periodMs()
    const due = 1 + Math.floor((nowMs - this.#nextAtMs) / periodMs)
    this.#nextAtMs += due * periodMs
    const frame = CHANNELS.flatMap((name, at) => this.#word(this.#senses.get(name)!, at))
    this.#registers.set(frame, REGISTER.data)
    const isIntoFifo =
      this.#registers[REGISTER.userControl] & FIFO_ON && this.#registers[REGISTER.fifoEnable] === FIFO_ALL
    if (!isIntoFifo) return
    const { fifoBytes } = CHIPS[this.#id]
    for (let put = 0; put < Math.min(due, fifoBytes); put++) this.#fifo.push(...frame)
    if (this.#fifo.length <= fifoBytes) return
    // The oldest bytes are lost, not the oldest frame.
    this.#fifo.splice(0, this.#fifo.length - fifoBytes)
    this.#registers[REGISTER.interruptStatus] |= FIFO_OVERFLOW
  }

  #word(value: number, at: number): number[] {
    const acceleration = 32_768 / (2 << ((this.#registers[REGISTER.accelConfig] >> 3) & 3)) / STANDARD_GRAVITY
    const rotation = (PER_DPS[(this.#registers[REGISTER.gyroConfig] >> 3) & 3] / Math.PI) * 180
    const { perCelsius, offset } = CHIPS[this.#id].temperature
    const exact = at < 3 ? value * acceleration : at === 3 ? (value - offset) * perCelsius : value * rotation
    const word = Math.min(Math.max(Math.round(exact), -0x8000), 0x7fff) & 0xffff
    return [word >> 8, word & 0xff]
  }

  #fromFifo(): number {
    this.#lastFromFifo = this.#fifo.shift() ?? this.#lastFromFifo
    return this.#lastFromFifo
  }
}
