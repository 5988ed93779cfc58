import type { VirtualSpiDevice } from '../contract/virtual-device.js'
import { codesOf, inputOf, type Mcp3008Options, nameOf } from './mcp3008-frames.js'

/**
 * Converts once a frame. Until the null bit its data line floats, here pulled up, as it is on boards that can tell an
 * absent chip; without a start bit it stays so.
 */
export class VirtualMcp3008 implements VirtualSpiDevice {
  readonly bus = 'spi'
  readonly #options: Mcp3008Options
  /** Volts at the inputs, and differences that were set by themselves. */
  readonly #senses = new Map(Array.from({ length: 8 }, (_, at) => [String(at), 0.25 + 0.25 * at]))

  constructor(options: Mcp3008Options) {
    this.#options = options
  }

  set(channel: string, value: number): void {
    const input = this.#options.inputs.find((one) => nameOf(one) === channel)
    if (input === undefined) throw new RangeError(`There is no channel ${channel}.`)
    this.#senses.set(input, value)
  }

  /** The chip keeps nothing. */
  powerCycle(): void {}

  transfer(frame: Uint8Array): Uint8Array {
    const answer = new Uint8Array(frame.length).fill(0xff)
    const input = inputOf(frame, this.#options.chip)
    if (input === undefined) return answer
    const codes = codesOf(this.#options)
    const exact = Math.round((this.#volts(input) / this.#options.referenceV) * codes)
    const code = Math.min(Math.max(exact, 0), codes - 1)
    // Ones that float, the null bit, the code.
    const word = (0xffff & ~(2 * codes - 1)) | code
    answer.set([word >> 8, word & 0xff], 1)
    return answer
  }

  #volts(input: string): number {
    const [plus, minus] = input.split('-')
    const own = this.#senses.get(input)
    return own ?? this.#senses.get(plus)! - this.#senses.get(minus)!
  }
}
