import { messageOf } from '#core/errors/telemetry-error'
import type { SealJournal } from '#core/journal/seal-journal'
import type { SampleColumns } from '#core/model/columns'
import type { CloseReason } from '#core/policy/flush-policy'
import type { StoreError } from '#core/protocol/drain-messages'
import type { Outlet, OutletOutcome, Parcel } from './outlet.js'

/** A sealed chunk on its way to the store. */
export interface Chunk {
  /** Its number in the journal. */
  readonly number: number
  readonly columns: SampleColumns
  readonly reason: CloseReason
  readonly parcels: readonly Parcel[]
  /** By parcel; `undefined`: not known to be stored. */
  readonly outcomes: ('stored' | 'duplicate' | 'spooled' | undefined)[]
}

/** The store lost what it had confirmed. */
export interface RollBack {
  shard: number
  highWaterSeq: number
  samples: number
  /** The first batch that is still held. */
  batchId: string
}

export interface AppendWindowOptions {
  outlet: Outlet
  journal: SealJournal
  /** Hears that an append has resolved, and whether all of it is stored. */
  onOutcome: (isStored: boolean) => void
  onRollBack: (rollBack: RollBack) => void
}

/**
 * The chunks in flight, oldest first. Appends are pipelined; when one fails nothing more is sent until all have
 * resolved, and then what is not stored goes out again in order.
 *
 * Thread: the drain worker's.
 */
export class AppendWindow {
  readonly #options: AppendWindowOptions
  readonly #chunks: Chunk[] = []
  /** High water by shard, as told by gaps since the last resend. */
  readonly #gaps = new Map<number, number>()
  #calls = 0
  #isBlocked = false
  #failure: 'gap' | 'outage' | undefined
  #lastError: StoreError | undefined
  #retried = 0

  constructor(options: AppendWindowOptions) {
    this.#options = options
  }

  /** Chunks held. */
  get size(): number {
    return this.#chunks.length
  }

  /** Appends that have not resolved. */
  get calls(): number {
    return this.#calls
  }

  /** Something is to be sent again: {@link resend} once {@link calls} is 0, and {@link add} nothing before. */
  get isBlocked(): boolean {
    return this.#isBlocked
  }

  /** Of the newest outage. */
  get lastError(): StoreError | undefined {
    return this.#lastError
  }

  /** Parcels sent again so far. */
  get retried(): number {
    return this.#retried
  }

  /** Takes the chunk, which is in the journal, and sends it. */
  add(chunk: Chunk): void {
    this.#chunks.push(chunk)
    this.#send([chunk])
  }

  /** Takes a chunk that a former worker may have sent; {@link resend} sends it. */
  adopt(chunk: Chunk): void {
    this.#chunks.push(chunk)
    this.#isBlocked = true
  }

  /** What went wrong since this was asked last: an outage, or only a gap, which sending again should mend. */
  takeFailure(): 'gap' | 'outage' | undefined {
    const failure = this.#failure
    this.#failure = undefined
    return failure
  }

  /** Sends what is not known to be stored, in order. @param most chunks, the oldest first */
  resend(most: number): void {
    for (const [shard, highWaterSeq] of this.#gaps) this.#mend(shard, highWaterSeq)
    this.#gaps.clear()
    const open = this.#chunks.filter(isOpen)
    this.#isBlocked = open.length > most
    const chunks = open.slice(0, most)
    for (const { outcomes } of chunks) this.#retried += outcomes.filter((outcome) => outcome === undefined).length
    if (chunks.length > 0) this.#send(chunks)
  }

  /** Takes out the oldest chunk when the store has all of it, and did not go back in time since. */
  takeStored(): Chunk | undefined {
    if (this.#gaps.size > 0) return undefined
    return this.#chunks.length > 0 && !isOpen(this.#chunks[0]) ? this.#chunks.shift() : undefined
  }

  #send(chunks: readonly Chunk[]): void {
    const places: { chunk: Chunk; index: number }[] = []
    for (const chunk of chunks) {
      for (let index = 0; index < chunk.parcels.length; index++) {
        if (chunk.outcomes[index] === undefined) places.push({ chunk, index })
      }
    }
    const parcels = places.map(({ chunk, index }) => chunk.parcels[index])
    this.#calls++
    const { outlet, onOutcome } = this.#options
    void outlet
      .append(parcels)
      // The contract is that nothing is thrown; what is thrown all the same tells nothing of what was stored.
      .catch((error): OutletOutcome[] => parcels.map(() => ({ kind: 'unavailable', message: messageOf(error) })))
      .then((outcomes) => {
        this.#calls--
        let isStored = true
        for (let at = 0; at < places.length; at++) {
          const { chunk, index } = places[at]
          if (!this.#take(chunk, index, outcomes[at])) isStored = false
        }
        if (!isStored) this.#isBlocked = true
        onOutcome(isStored)
      })
  }

  #take(chunk: Chunk, index: number, outcome: OutletOutcome): boolean {
    const parcel = chunk.parcels[index]
    switch (outcome.kind) {
      case 'stored':
      case 'duplicate':
      case 'spooled':
        chunk.outcomes[index] = outcome.kind
        return true
      case 'gap':
        this.#gaps.set(parcel.shard, outcome.highWaterSeq)
        this.#failure ??= 'gap'
        return false
      default: {
        const isRefused = outcome.kind === 'refused'
        const code =
          isRefused && outcome.reason === 'misconfigured' ? 'TLM_STREAM_MISCONFIGURED' : 'TLM_STREAM_UNAVAILABLE'
        const details = { reason: isRefused ? outcome.reason : 'unavailable' }
        if (this.#failure !== 'outage') {
          this.#lastError = { code, message: outcome.message, details, batchId: this.#options.outlet.idOf(parcel) }
        }
        this.#failure = 'outage'
        return false
      }
    }
  }

  /** What the store does not have is to be sent again; what is no longer held is noted as rolled back. */
  #mend(shard: number, highWaterSeq: number): void {
    let isFirst = true
    for (const chunk of this.#chunks) {
      for (const [index, parcel] of chunk.parcels.entries()) {
        if (parcel.shard !== shard) continue
        if (parcel.seq > highWaterSeq) chunk.outcomes[index] = undefined
        if (isFirst) this.#continueAfter(chunk, parcel, highWaterSeq)
        isFirst = false
      }
    }
  }

  #continueAfter(chunk: Chunk, first: Parcel, highWaterSeq: number): void {
    const { journal, outlet, onRollBack } = this.#options
    // The store has it, perhaps by means of an earlier roll-back, which stands.
    if (highWaterSeq >= first.seq) return
    const after = highWaterSeq < first.seq - 1 ? highWaterSeq : undefined
    if (after === first.after) return
    const samples = journal.rollBack(chunk.number, first.shard, after)
    first.after = after
    if (after === undefined) return
    onRollBack({ shard: first.shard, highWaterSeq: after, samples, batchId: outlet.idOf(first) })
  }
}

function isOpen(chunk: Chunk): boolean {
  return chunk.outcomes.includes(undefined)
}
