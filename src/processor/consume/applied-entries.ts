import type { DeadLetterOrder, LeasedEntry, RetryOrder } from '#core/transport/batch-stream'
import type { LedgerBook } from './processor-ledger.js'

/** What is left to do about an entry that took effect; nothing, mostly. */
export interface Remainder {
  /** Samples that were left out. */
  dead?: readonly DeadLetterOrder[]
  /** It is kept for a handler that was left out. */
  retry?: RetryOrder
}

/**
 * The entries that are part of the state since the last checkpoint, and how each leaves the stream with the next one.
 */
export class AppliedEntries {
  #ack: string[] = []
  #retry: RetryOrder[] = []
  #deadLetter: DeadLetterOrder[] = []
  #rejected = new Map<string, number>()
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Dead letters that the settlement will write, in its one step. */
  get letters(): number {
    return this.#deadLetter.length
  }

  /** @param rejected samples that handlers refused, by reason */
  add({ id }: LeasedEntry, rejected: Readonly<Record<string, number>>, { dead = [], retry }: Remainder = {}): void {
    this.#count++
    if (dead.length > 0) this.#deadLetter.push(...dead)
    else if (retry !== undefined) this.#retry.push(retry)
    else this.#ack.push(id)
    for (const [reason, samples] of Object.entries(rejected)) {
      this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + samples)
    }
  }

  /** Takes all of them out, for a settlement. */
  take(): TakenEntries {
    const taken = new TakenEntries(this.#ack, this.#retry, this.#deadLetter, this.#rejected)
    this.#ack = []
    this.#retry = []
    this.#deadLetter = []
    this.#rejected = new Map()
    this.#count = 0
    return taken
  }
}

/** Entries on their way out of the stream, as parts of a settlement. */
export class TakenEntries {
  readonly #rejected: ReadonlyMap<string, number>

  constructor(
    readonly ack: readonly string[],
    readonly retry: readonly RetryOrder[],
    readonly deadLetter: readonly DeadLetterOrder[],
    rejected: ReadonlyMap<string, number>,
  ) {
    this.#rejected = rejected
  }

  /**
   * They are settled.
   *
   * @param remove lets go of entries; returns the samples of those that were still held
   */
  settled(ledger: LedgerBook, remove: (ids: readonly string[]) => number): void {
    ledger.settled += remove(this.ack)
    ledger.retried += remove(this.retry.map(({ id }) => id))
    const inParts = remove(this.deadLetter.map(({ id }) => id))
    const dead = this.deadLetter.reduce((sum, { part }) => sum + (part?.samples ?? 0), 0)
    ledger.deadLettered += Math.min(dead, inParts)
    ledger.settled += inParts - Math.min(dead, inParts)
    ledger.addRejected(this.#rejected)
  }
}
