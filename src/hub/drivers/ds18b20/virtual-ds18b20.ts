import type { VirtualFileDevice } from '../contract/virtual-device.js'
import { dallasCrc } from './scratchpad.js'

/** As w1_therm shows one: each read of `w1_slave` is a conversion, a write of 9 to 12 sets the resolution. */
export class VirtualDs18b20 implements VirtualFileDevice {
  readonly bus = 'file'
  readonly #folder: string
  #celsius = 20
  #resolution = 12
  #hasConverted = true

  constructor(folder: string) {
    this.#folder = folder
  }

  set(channel: string, value: number): void {
    if (channel !== 'temperature') throw new RangeError(`There is no channel ${channel}.`)
    this.#celsius = value
  }

  /** The next read shows the register of before the first conversion. */
  powerCycle(): void {
    this.#hasConverted = false
    this.#resolution = 12
  }

  files(): Record<string, string> {
    const steps = 2 ** (this.#resolution - 8)
    const register = this.#hasConverted ? Math.round(this.#celsius * steps) * (16 / steps) : 0x0550
    const config = ((this.#resolution - 9) << 5) | 0x1f
    const eight = [register & 0xff, (register >> 8) & 0xff, 0x4b, 0x46, config, 0xff, 0x0c, 0x10]
    const crc = dallasCrc(Uint8Array.from(eight))
    const hex = [...eight, crc].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    this.#hasConverted = true
    const milli = Math.round((((register << 16) >> 16) / 16) * 1000)
    const text = `${hex} : crc=${crc.toString(16).padStart(2, '0')} YES\n${hex} t=${milli}\n`
    return { [`${this.#folder}/w1_slave`]: text, [`${this.#folder}/name`]: '28-0000000000aa\n' }
  }

  write(path: string, text: string): void {
    const resolution = Number(text)
    if (path.endsWith('/w1_slave') && resolution >= 9 && resolution <= 12) this.#resolution = resolution
  }
}
