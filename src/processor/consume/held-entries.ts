import type { LeasedEntry } from '#core/transport/batch-stream'

/** What is remembered of an entry from its lease to its settlement; its body is gone by then. */
export type HeldEntry = Omit<LeasedEntry, 'body'>

/** The entries of one shard that are leased and not settled. */
export class HeldEntries {
  readonly #byId = new Map<string, HeldEntry>()

  get count(): number {
    return this.#byId.size
  }

  /** Added up anew with every call: the ledger is checked against it. Cost: one step per entry. */
  get samples(): number {
    let samples = 0
    for (const entry of this.#byId.values()) samples += entry.samples
    return samples
  }

  add(entries: readonly LeasedEntry[]): void {
    for (const { body: _, ...entry } of entries) this.#byId.set(entry.id, entry)
  }

  /** Lets go of those that are still held. @returns how many entries and samples they were */
  remove(ids: Iterable<string>): { entries: number; samples: number } {
    const removed = { entries: 0, samples: 0 }
    for (const id of ids) {
      const entry = this.#byId.get(id)
      if (entry === undefined) continue
      this.#byId.delete(id)
      removed.entries++
      removed.samples += entry.samples
    }
    return removed
  }

  removeAll(): { entries: number; samples: number } {
    return this.remove([...this.#byId.keys()])
  }
}
