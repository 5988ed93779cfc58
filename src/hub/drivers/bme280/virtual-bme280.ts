import type { BusKind } from '../contract/manifest.js'
import type { VirtualDevice, VirtualI2cDevice, VirtualSpiDevice } from '../contract/virtual-device.js'
import type { Bme280Options } from './bme280-options.js'
import { VirtualChip } from './virtual-chip.js'

/** A BME280 or BMP280 as it is wired: to two lines, or to four. */
export function virtualBme280(
  options: Bme280Options,
  bus: BusKind,
  chip = new VirtualChip(options.chip),
): VirtualDevice {
  return bus === 'spi' ? new VirtualBme280Spi(chip) : new VirtualBme280I2c(chip)
}

/** Reads count the register up; writes are pairs of register and value (section 6.2). */
class VirtualBme280I2c implements VirtualI2cDevice {
  readonly bus = 'i2c'
  readonly #chip: VirtualChip
  #pointer = 0

  constructor(chip: VirtualChip) {
    this.#chip = chip
  }

  set(channel: string, value: number): void {
    this.#chip.set(channel, value)
  }

  powerCycle(): void {
    this.#pointer = 0
    this.#chip.reset()
  }

  write(bytes: Uint8Array): number {
    if (bytes.length === 0) return 0
    for (let at = 0; at + 1 < bytes.length; at += 2) this.#chip.write(bytes[at], bytes[at + 1])
    if (bytes.length % 2 === 1) this.#pointer = bytes[bytes.length - 1]
    return bytes.length
  }

  read(count: number): Uint8Array {
    const bytes = this.#chip.read(this.#pointer, count)
    this.#pointer = (this.#pointer + count) & 0xff
    return bytes
  }
}

/** Bit 7 of the first byte reads; without it the frame is pairs of register and value (section 6.3). */
class VirtualBme280Spi implements VirtualSpiDevice {
  readonly bus = 'spi'
  readonly #chip: VirtualChip

  constructor(chip: VirtualChip) {
    this.#chip = chip
  }

  set(channel: string, value: number): void {
    this.#chip.set(channel, value)
  }

  powerCycle(): void {
    this.#chip.reset()
  }

  transfer(frame: Uint8Array): Uint8Array {
    const answer = new Uint8Array(frame.length).fill(0xff)
    if (frame.length === 0) return answer
    if (frame[0] & 0x80) {
      answer.set(this.#chip.read(frame[0], frame.length - 1), 1)
      return answer
    }
    for (let at = 0; at + 1 < frame.length; at += 2) this.#chip.write(frame[at] | 0x80, frame[at + 1])
    return answer
  }
}
