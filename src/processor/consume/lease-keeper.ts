/** The part of an ownership that must be renewed. */
export interface Renewable {
  renew(): Promise<boolean>
}

export interface LeaseKeeperEvents {
  /** Somebody else owns it by now. */
  onLost(): void
  /** The store could not be asked; it is asked again soon. */
  onError(error: unknown): void
}

/** Renews an ownership by timer, whatever its owner is doing, until stopped or lost. */
export class LeaseKeeper {
  readonly #owned: Renewable
  readonly #leaseMs: number
  readonly #events: LeaseKeeperEvents
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  /** @param leaseMs what one renewal lasts for; it is renewed three times in that */
  constructor(owned: Renewable, leaseMs: number, events: LeaseKeeperEvents) {
    this.#owned = owned
    this.#leaseMs = leaseMs
    this.#events = events
    this.#schedule(leaseMs / 3)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #schedule(waitMs: number): void {
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#renew(), waitMs)
  }

  async #renew(): Promise<void> {
    try {
      const isOurs = await this.#owned.renew()
      if (this.#isStopped) return
      if (isOurs) this.#schedule(this.#leaseMs / 3)
      else this.#events.onLost()
    } catch (error) {
      if (this.#isStopped) return
      this.#events.onError(error)
      this.#schedule(Math.min(1000, this.#leaseMs / 10))
    }
  }
}
