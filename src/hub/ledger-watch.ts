import type { Logger } from '../host/logger.js'
import { type HubLedger, imbalanceOf } from './hub-figures.js'

const LOOK_INTERVAL_MS = 1000

/** Looks at the ledger once a second and says so when it does not add up, once for each new imbalance. */
export class LedgerWatch {
  readonly #ledger: () => HubLedger
  readonly #log: Logger
  #timer: NodeJS.Timeout | undefined
  #last = 0
  #told = 0

  constructor(ledger: () => HubLedger, log: Logger) {
    this.#ledger = ledger
    this.#log = log
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_INTERVAL_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** An imbalance that two looks in a row find is told. */
  look(): void {
    const ledger = this.#ledger()
    const imbalance = imbalanceOf(ledger)
    if (imbalance !== 0 && imbalance === this.#last && imbalance !== this.#told) {
      this.#told = imbalance
      this.#log.error({ imbalance, ledger }, 'the ledger does not add up: the hub has lost count of samples')
    }
    if (imbalance === 0) this.#told = 0
    this.#last = imbalance
  }
}
