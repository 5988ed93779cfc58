/** Reasons become metric labels: a device that makes up more than these has the rest counted together. */
const MAX_REASONS = 32
const OTHER = 'other'

/** Counts by reason, bounded in the number of reasons. */
export class RejectCounts {
  readonly #counts = new Map<string, number>()

  add(reason: string, count = 1): void {
    const known = this.#counts.get(reason)
    if (known !== undefined) this.#counts.set(reason, known + count)
    else if (this.#counts.size < MAX_REASONS) this.#counts.set(reason, count)
    else this.#counts.set(OTHER, (this.#counts.get(OTHER) ?? 0) + count)
  }

  entries(): [reason: string, count: number][] {
    return [...this.#counts]
  }
}
