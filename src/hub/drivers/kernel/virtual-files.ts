import type { VirtualFileDevice } from '../contract/virtual-device.js'

/** A device as a driver of the kernel shows it: a name, and a number a file. */
export class VirtualFiles implements VirtualFileDevice {
  readonly bus = 'file'
  readonly #folder: string
  readonly #fixed: Readonly<Record<string, string>>
  readonly #inputs: Readonly<Record<string, { file: string; perUnit: number; offset: number }>>
  readonly #values = new Map<string, number>()

  /**
   * @param fixed text by file, such as the name and scales
   * @param inputs by channel: the file, how many steps of it are one unit, and what is subtracted then
   */
  constructor(
    folder: string,
    fixed: Readonly<Record<string, string>>,
    inputs: Readonly<Record<string, { file: string; perUnit: number; offset: number }>>,
  ) {
    this.#folder = folder
    this.#fixed = fixed
    this.#inputs = inputs
  }

  set(channel: string, value: number): void {
    if (!Object.hasOwn(this.#inputs, channel)) throw new RangeError(`There is no channel ${channel}.`)
    this.#values.set(channel, value)
  }

  /** The kernel's driver sets the chip up again by itself. */
  powerCycle(): void {}

  files(): Record<string, string> {
    const files = { ...this.#fixed }
    for (const [channel, { file, perUnit, offset }] of Object.entries(this.#inputs)) {
      files[file] = `${Math.round((this.#values.get(channel) ?? 0) * perUnit) - offset}\n`
    }
    return Object.fromEntries(Object.entries(files).map(([file, text]) => [`${this.#folder}/${file}`, text]))
  }

  /** Nothing that these drivers write. */
  write(): void {}
}
