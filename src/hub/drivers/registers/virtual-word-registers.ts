import type { VirtualI2cDevice } from '../contract/virtual-device.js'

/** Milliseconds of a clock that never goes back. */
export type NowMs = () => number

/**
 * The bus side of a virtual chip with 16-bit registers behind a pointer. The pointer is kept between transactions; a
 * write of one byte only sets it; a read beyond two bytes gives the same register again.
 */
export abstract class VirtualWordRegisters implements VirtualI2cDevice {
  readonly bus = 'i2c'
  #pointer = 0

  abstract set(channel: string, value: number): void
  /** Registers as after power-on. */
  protected abstract reset(): void
  protected abstract readRegister(register: number): number
  protected abstract writeRegister(register: number, word: number): void

  powerCycle(): void {
    this.#pointer = 0
    this.reset()
  }

  write(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    this.#pointer = bytes[0]
    if (bytes.length >= 3) this.writeRegister(this.#pointer, (bytes[1] << 8) | bytes[2])
    return bytes.length
  }

  read(count: number): Uint8Array {
    const bytes = new Uint8Array(count)
    for (let at = 0; at < count; at += 2) {
      const word = this.readRegister(this.#pointer)
      bytes[at] = word >> 8
      if (at + 1 < count) bytes[at + 1] = word & 0xff
    }
    return bytes
  }
}

/** The monotonic clock of the process, which virtual chips run by unless a test gives its own. */
export const processClock: NowMs = () => performance.now()
