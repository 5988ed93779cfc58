import { sum8 } from '../checksum/checksums.js'
import type { VirtualLineDevice } from '../contract/virtual-device.js'
import { ANSWER, COMMAND_BYTES, deviceFrame, HEAD, READING, SET_MODE, SET_PERIOD, SET_SLEEP, TAIL } from './frame.js'

/** Reads once a second, or once a period; keeps mode and period without power. */
export class VirtualSds011 implements VirtualLineDevice {
  readonly bus = 'line'
  readonly #id: number
  #tenths: Record<string, number> = { pm2_5: 123, pm10: 262 }
  #isAwake = true
  #isActive = true
  #periodMinutes = 0
  #came: Buffer = Buffer.alloc(0)
  #send: ((bytes: Uint8Array) => void) | undefined
  #every: ((ms: number, act: () => void) => () => void) | undefined
  #stop: (() => void) | undefined

  constructor(id: number) {
    this.#id = id
  }

  set(channel: string, value: number): void {
    if (!Object.hasOwn(this.#tenths, channel)) throw new RangeError(`there is no channel ${channel}`)
    this.#tenths[channel] = Math.min(0xffff, Math.max(0, Math.round(value * 10)))
  }

  powerCycle(): void {
    this.#isAwake = true
    this.#came = Buffer.alloc(0)
  }

  connect(send: (bytes: Uint8Array) => void, every: (ms: number, act: () => void) => () => void): void {
    this.#send = send
    this.#every = every
    this.#restart()
  }

  disconnect(): void {
    this.#stop?.()
    this.#send = undefined
    this.#every = undefined
  }

  receive(bytes: Uint8Array): void {
    this.#came = Buffer.concat([this.#came, bytes])
    while (this.#came.length >= COMMAND_BYTES) {
      const frame = this.#came.subarray(0, COMMAND_BYTES)
      const isCommand = frame[0] === HEAD && frame[1] === 0xb4 && frame[18] === TAIL
      const isWhole = isCommand && sum8(frame.subarray(2, 17)) === frame[17]
      this.#came = this.#came.subarray(isWhole ? COMMAND_BYTES : 1)
      if (isWhole) this.#obey(frame[2], frame[3] === 1, frame[4])
    }
  }

  #obey(code: number, isSet: boolean, value: number): void {
    if (isSet && code === SET_MODE) this.#isActive = value === 0
    if (isSet && code === SET_SLEEP) this.#isAwake = value === 1
    if (isSet && code === SET_PERIOD) {
      this.#periodMinutes = value
      this.#restart()
    }
    this.#send?.(deviceFrame(ANSWER, [code, isSet ? 1 : 0, value, 0], this.#id))
  }

  #restart(): void {
    this.#stop?.()
    this.#stop = this.#every?.(this.#periodMinutes === 0 ? 1000 : this.#periodMinutes * 60_000, () => this.#tell())
  }

  #tell(): void {
    if (!this.#isAwake || !this.#isActive) return
    const { pm2_5, pm10 } = this.#tenths
    this.#send?.(deviceFrame(READING, [pm2_5 & 0xff, pm2_5 >> 8, pm10 & 0xff, pm10 >> 8], this.#id))
  }
}
