/** Of readings that reach the store without a hub. */
export const NO_HUB = -1

/** Consecutive readings of one device that one hub was offered with the same outcome. */
export interface OfferRange {
  first: number
  count: number
  /** Which run of the hub, from 0, or {@link NO_HUB}. */
  hub: number
  /**
   * `stored`: the hub was asked to wait, and said that it has them in the store or on disk. `accepted`: it said 202, or
   * Redis that it has the task. `uncertain`: it said nothing, it may have them.
   */
  outcome: OfferOutcome
}

export type OfferOutcome = 'stored' | 'accepted' | 'uncertain'

/** How one run of the hub ended, and what it had said of itself. */
export interface HubEnd {
  hub: number
  endedBy: 'kill' | 'stop'
  /**
   * Of what it was offered, what is stored or on disk, as far as its last figures told: at a kill they are up to a quarter
   * of a second old.
   */
  outlives: number
  droppedBy: Readonly<Record<string, number>>
  /** Its last ledger as it gave it, for the report. */
  ledger?: Readonly<Record<string, unknown>>
  imbalance: number
}

/** What was offered to the hub, kept outside of everything that is tested. */
export class Journal {
  readonly #offers = new Map<string, OfferRange[]>()

  get offers(): ReadonlyMap<string, readonly OfferRange[]> {
    return this.#offers
  }

  /** Readings are numbered from 0 for each device, without gaps. */
  add(device: string, offer: OfferRange): void {
    const ranges = this.#offers.get(device) ?? []
    this.#offers.set(device, ranges)
    const last = ranges.at(-1)
    if (last !== undefined && offer.first !== last.first + last.count) {
      throw new Error(`${device}: ${offer.first} was offered after ${last.first + last.count - 1}.`)
    }
    if (last?.hub === offer.hub && last.outcome === offer.outcome) last.count += offer.count
    else ranges.push({ ...offer })
  }

  /** Readings of a device so far: the number of the next. */
  next(device: string): number {
    const last = this.#offers.get(device)?.at(-1)
    return last === undefined ? 0 : last.first + last.count
  }
}
