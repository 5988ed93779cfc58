import type { VirtualLineDevice } from '../contract/virtual-device.js'
import { AUTO_BASELINE, checksum, FRAME_BYTES, READ_CO2, SET_RANGE } from './frame.js'

/** Answers to 0x86; keeps its range and its baseline correction without power, as the real one does. */
export class VirtualMhZ19 implements VirtualLineDevice {
  readonly bus = 'line'
  #co2 = 400
  #rangePpm = 5000
  #correctsItself = true
  #send: ((bytes: Uint8Array) => void) | undefined
  #came: Buffer = Buffer.alloc(0)

  /** Whether it takes the lowest value of each day for fresh air; on when it is made. */
  get correctsItself(): boolean {
    return this.#correctsItself
  }

  set(channel: string, value: number): void {
    if (channel !== 'co2') throw new RangeError(`there is no channel ${channel}`)
    this.#co2 = Math.max(0, Math.round(value))
  }

  powerCycle(): void {
    this.#came = Buffer.alloc(0)
  }

  connect(send: (bytes: Uint8Array) => void): void {
    this.#send = send
  }

  disconnect(): void {
    this.#send = undefined
  }

  receive(bytes: Uint8Array): void {
    this.#came = Buffer.concat([this.#came, bytes])
    while (this.#came.length >= FRAME_BYTES) {
      const frame = this.#came.subarray(0, FRAME_BYTES)
      const isCommand = frame[0] === 0xff && frame[1] === 0x01 && checksum(frame) === frame[FRAME_BYTES - 1]
      this.#came = this.#came.subarray(isCommand ? FRAME_BYTES : 1)
      if (isCommand) this.#obey(frame)
    }
  }

  #obey(frame: Buffer): void {
    if (frame[2] === AUTO_BASELINE) this.#correctsItself = frame[3] === 0xa0
    if (frame[2] === SET_RANGE) this.#rangePpm = frame.readUInt16BE(6)
    const ppm = Math.min(this.#co2, this.#rangePpm)
    const isRead = frame[2] === READ_CO2
    const data = isRead ? [ppm >> 8, ppm & 0xff, 0x47, 0, 0, 0] : [1, 0, 0, 0, 0, 0]
    const answer = Uint8Array.of(0xff, frame[2], ...data, 0)
    answer[FRAME_BYTES - 1] = checksum(answer)
    this.#send?.(answer)
  }
}
