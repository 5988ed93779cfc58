import type { Coverage } from '../engine/coverage.js'
import type { SeededRandom } from '../engine/seeded-random.js'

/** What may happen to a command on its way. */
export const NETWORK_FAULTS = [
  /** The connection breaks; the command never arrives. */
  'request lost',
  /** The connection breaks after the command took effect. */
  'reply lost',
  /** The connection breaks, the client knows, and the command takes effect later, behind what was sent after it. */
  'request late',
  /** Nothing comes back and nobody says so; the command takes effect. */
  'silence',
  /** The command is on its way for long, and so is all behind it. */
  'request slow',
  /** As above, the reply. */
  'reply slow',
  /** The server refuses the command. */
  'refused',
  /** The server has forgotten its scripts. */
  'scripts flushed',
] as const
export type NetworkFault = (typeof NETWORK_FAULTS)[number]

/** Draws what happens to each command. */
export class FaultPlan {
  readonly #random: SeededRandom
  readonly #coverage: Coverage
  readonly #faults: readonly NetworkFault[]
  readonly #rate: number
  /** No faults while `false`. */
  isOn = true

  /** @param rate faults per command */
  constructor(random: SeededRandom, coverage: Coverage, faults: readonly NetworkFault[], rate: number) {
    this.#random = random
    this.#coverage = coverage
    this.#faults = faults
    this.#rate = rate
  }

  draw(call: string): NetworkFault | undefined {
    this.#coverage.add('none', call)
    if (!this.isOn || this.#faults.length === 0 || !this.#random.chance(this.#rate)) return undefined
    const fault = this.#random.pick(this.#faults)
    this.#coverage.add(fault, call)
    return fault
  }
}
