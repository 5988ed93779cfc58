import type { ProcessorLedger } from '../processor-figures.js'

/** Counts, in samples, what became of everything that was leased. What is in flight is counted elsewhere. */
export class LedgerBook {
  leased = 0
  settled = 0
  deadLettered = 0
  retried = 0
  released = 0
  readonly #rejectedBy = new Map<string, number>()

  addRejected(rejected: Iterable<readonly [string, number]>): void {
    for (const [reason, samples] of rejected) {
      this.#rejectedBy.set(reason, (this.#rejectedBy.get(reason) ?? 0) + samples)
    }
  }

  /** @param inFlight samples that are held now, counted by those who hold them */
  toLedger(inFlight: number): ProcessorLedger {
    const { leased, settled, deadLettered, retried, released } = this
    const rejectedBy = Object.fromEntries(this.#rejectedBy)
    return { leased, settled, inFlight, deadLettered, retried, released, rejectedBy }
  }
}
