import { TelemetryError } from '../errors/telemetry-error.js'
import { CLOSE_REASONS, type CloseReason } from '../policy/flush-policy.js'
import {
  attachSealJournal,
  BATCHES,
  type EntryViews,
  FIRST,
  HISTORY,
  type JournalViews,
  REASON,
  SAMPLES,
  SEALED,
  SETTLED,
  TOTALS_WORDS,
} from './layout.js'

/** What the journal counts, each sample and batch once, whatever crashes and however many workers a ring has had. */
export const JOURNAL_TOTALS = [
  'samplesDelivered',
  'samplesRolledBack',
  'batchesStored',
  'batchesDuplicate',
  'bytesStored',
  'closedBySamples',
  'closedByBytes',
  'closedByAge',
  'closedByStop',
  'samplesSpooled',
  'batchesSpooled',
] as const

/**
 * `samplesDelivered`: the store has them. `samplesRolledBack`: the store had them and then went back in time, further
 * than the worker held. `samplesSpooled`: they were written to the spool instead, which counts what becomes of them.
 * Batches are counted by their last outcome, and by what closed them.
 */
export type JournalTotals = Record<(typeof JOURNAL_TOTALS)[number], number>

/** A chunk that was sealed: consecutive samples of the ring. */
export interface SealedChunk {
  /** u32, counts up. */
  readonly number: number
  /** Ring index of its first sample. */
  readonly first: number
  readonly samples: number
  readonly batches: number
  readonly reason: CloseReason
  /** What was added to stamps in hub time to seal it (`time/hub-time`); absent: nothing. Microseconds. */
  readonly wallOffsetUs?: number
}

/** A batch of the chunk that is settled. */
export interface SettledBatch {
  readonly shard: number
  readonly seq: number
  readonly samples: number
}

/** Points between two writes of a step, where crash tests end the worker. */
export type JournalStep =
  | 'seal: entry half written'
  | 'seal: entry written'
  | 'roll back: loss computed'
  | 'roll back: loss written'
  | 'settle: history written'
  | 'settle: totals half written'
  | 'settle: totals written'

/**
 * The memory of a drain worker that its successor inherits: which samples went into which batches under which numbers,
 * and what was counted. The successor of a worker that ended at any point cuts the very same chunks again, sends the
 * very same batches, and the store recognises those it has.
 *
 * Thread: one worker at a time writes; any thread reads {@link totals} and {@link batchesInFlight}.
 */
export class SealJournal {
  readonly #views: JournalViews
  readonly #mask: number
  readonly #onStep: (step: JournalStep) => void

  /**
   * @param onStep hears every {@link JournalStep}
   * @throws TLM_OPTIONS_INVALID the memory is no journal
   */
  constructor(memory: SharedArrayBuffer, onStep: (step: JournalStep) => void = () => {}) {
    this.#views = attachSealJournal(memory)
    this.#mask = this.#views.entries.length - 1
    this.#onStep = onStep
  }

  get shards(): number {
    return this.#views.shards
  }

  /** Sealed chunks that are not settled, oldest first. */
  unsettled(): SealedChunk[] {
    const chunks: SealedChunk[] = []
    const sealed = this.#sealed
    for (let number = this.#settled; number !== sealed; number = (number + 1) | 0) chunks.push(this.#chunk(number))
    return chunks
  }

  /** Batches of the chunks that are sealed and not settled; approximate while a worker is at work. Thread: any. */
  get batchesInFlight(): number {
    return this.unsettled().reduce((sum, { batches }) => sum + batches, 0)
  }

  /**
   * Seq of the last batch of each shard before the chunk; 0: none. A copy.
   *
   * @param number default: the chunk that is sealed next
   */
  seqsBefore(number = this.#sealed): Float64Array {
    return this.#entry(number - 1).seqAfter.slice()
  }

  /** See `SealedBatch.after`; `undefined` unless {@link rollBack} set it. */
  afterOf(number: number, shard: number): number | undefined {
    const after = this.#entry(number).after[shard]
    return Number.isNaN(after) ? undefined : after
  }

  /**
   * Enters a chunk; call before the first of its batches is sent. Written whole, then made known with one store.
   *
   * @param seqsAfter seq of the last batch of each shard once the chunk is cut
   * @returns its number
   * @throws TLM_INVARIANT_BROKEN as many chunks as the journal has room for are unsettled
   */
  seal(chunk: Omit<SealedChunk, 'number'>, seqsAfter: Float64Array): number {
    const number = this.#sealed
    if (((number - this.#settled) | 0) >= this.#mask) throw broken('more chunks in flight than it has entries')
    const { head, wallOffsetUs, seqAfter, after } = this.#entry(number)
    Atomics.store(head, FIRST, chunk.first | 0)
    Atomics.store(head, SAMPLES, chunk.samples)
    this.#onStep('seal: entry half written')
    head[BATCHES] = chunk.batches
    head[REASON] = CLOSE_REASONS.indexOf(chunk.reason)
    wallOffsetUs[0] = chunk.wallOffsetUs ?? 0
    seqAfter.set(seqsAfter)
    after.fill(Number.NaN)
    this.#onStep('seal: entry written')
    // ORDER J1: the entry is whole.
    Atomics.store(this.#views.control, SEALED, (number + 1) | 0)
    return number
  }

  /**
   * The store's high water of the shard is `after`, below what precedes this unsettled chunk, the first that holds a
   * batch of the shard. What lies between is gone and counts as rolled back when the chunk is settled. Call before
   * anything is sent with that `after`; may be called again with another one.
   *
   * @param after `undefined`: the store has all that precedes the chunk after all
   * @returns samples between; at most so many when `after` lies further back than 2048 batches
   */
  rollBack(number: number, shard: number, after: number | undefined): number {
    const entry = this.#entry(number)
    // `lost` and `base` are looked at only where there is an `after`: they never belong to another one.
    entry.after[shard] = Number.NaN
    if (after === undefined) return 0
    const { seqAfter, deliveredAfter } = this.#entry(this.#settled - 1)
    const isKnown = seqAfter[shard] - after < HISTORY / 2
    const base = after > 0 && isKnown ? this.#views.history[shard][after % HISTORY] : 0
    const lost = deliveredAfter[shard] - base
    this.#onStep('roll back: loss computed')
    entry.base[shard] = base
    entry.lost[shard] = lost
    this.#onStep('roll back: loss written')
    entry.after[shard] = after
    return lost
  }

  /**
   * Settles the oldest unsettled chunk: all its batches are in the store. Afterwards its slots of the ring may be
   * released, see {@link totals}.
   *
   * @param batches of the chunk, in order
   * @param added to the other totals
   */
  settle(batches: readonly SettledBatch[], added: Omit<JournalTotals, 'samplesDelivered' | 'samplesRolledBack'>): void {
    const settled = this.#settled
    const next = (settled + 1) | 0
    const rolledBack = this.#beginSums(settled)
    const { deliveredAfter } = this.#entry(settled)
    let delivered = 0
    for (const { shard, seq, samples } of batches) {
      deliveredAfter[shard] += samples
      delivered += samples
      this.#views.history[shard][seq % HISTORY] = deliveredAfter[shard]
    }
    this.#onStep('settle: history written')
    const samplesDelivered = delivered - added.samplesSpooled - rolledBack
    const sums = { ...added, samplesDelivered, samplesRolledBack: rolledBack }
    const from = (settled & 1) * TOTALS_WORDS
    const to = (next & 1) * TOTALS_WORDS
    for (let word = 0; word < JOURNAL_TOTALS.length; word++) {
      const before = Atomics.load(this.#views.totals, from + word)
      Atomics.store(this.#views.totals, to + word, before + BigInt(sums[JOURNAL_TOTALS[word]]))
      if (word === 0) this.#onStep('settle: totals half written')
    }
    this.#onStep('settle: totals written')
    // ORDER J2, J3: history and totals are written; the ring is released later.
    Atomics.store(this.#views.control, SETTLED, next)
  }

  /** Batches of a shard that are settled, oldest first, as far back as their samples are known: 2048 at most. */
  settledBatches(shard: number): { seq: number; samples: number }[] {
    const { seqAfter } = this.#entry(this.#settled - 1)
    const last = seqAfter[shard]
    const history = this.#views.history[shard]
    const batches: { seq: number; samples: number }[] = []
    for (let seq = Math.max(1, last - HISTORY / 2 + 1); seq <= last; seq++) {
      const before = seq === 1 ? 0 : history[(seq - 1) % HISTORY]
      batches.push({ seq, samples: history[seq % HISTORY] - before })
    }
    return batches
  }

  /**
   * What was counted so far and the ring index up to which that reaches, at one moment. The ring's CONSUMED is there
   * or, for a moment or when the worker has just died, behind. Thread: any.
   */
  totals(): JournalTotals & { settledIndex: number } {
    const { control, totals } = this.#views
    for (;;) {
      const settled = this.#settled
      const from = (settled & 1) * TOTALS_WORDS
      const pairs = JOURNAL_TOTALS.map((name, word) => [name, Number(Atomics.load(totals, from + word))])
      const { head } = this.#entry(settled - 1)
      const settledIndex = (Atomics.load(head, FIRST) + Atomics.load(head, SAMPLES)) >>> 0
      // ORDER J2: totals and entry stay while SETTLED does.
      if (Atomics.load(control, SETTLED) === settled) {
        return { ...(Object.fromEntries(pairs) as JournalTotals), settledIndex }
      }
    }
  }

  /** Number of the chunk that is sealed next. */
  get #sealed(): number {
    // ORDER J1: before entries are read.
    return Atomics.load(this.#views.control, SEALED)
  }

  /** Number of the chunk that is settled next. */
  get #settled(): number {
    // ORDER J2: before totals and the last settled entry are read.
    return Atomics.load(this.#views.control, SETTLED)
  }

  /**
   * Starts the sums of the chunk where those before it ended, or where the store went back to: batches that are gone
   * then hold nothing, so that a later roll-back does not count them again. Reads nothing that settling writes, so that
   * a successor may do it again.
   *
   * @returns samples lost before the chunk
   */
  #beginSums(number: number): number {
    const before = this.#entry(number - 1)
    const entry = this.#entry(number)
    let lost = 0
    for (let shard = 0; shard < this.shards; shard++) {
      const after = entry.after[shard]
      if (Number.isNaN(after)) {
        entry.deliveredAfter[shard] = before.deliveredAfter[shard]
        continue
      }
      lost += entry.lost[shard]
      entry.deliveredAfter[shard] = entry.base[shard]
      const last = before.seqAfter[shard]
      for (let seq = Math.max(after + 1, last - HISTORY / 2); seq <= last; seq++) {
        this.#views.history[shard][seq % HISTORY] = entry.base[shard]
      }
    }
    return lost
  }

  #chunk(number: number): SealedChunk {
    const { head, wallOffsetUs } = this.#entry(number)
    return {
      number,
      first: head[FIRST] >>> 0,
      samples: head[SAMPLES],
      batches: head[BATCHES],
      reason: CLOSE_REASONS[head[REASON]],
      ...(wallOffsetUs[0] !== 0 && { wallOffsetUs: wallOffsetUs[0] }),
    }
  }

  #entry(number: number): EntryViews {
    return this.#views.entries[number & this.#mask]
  }
}

function broken(problem: string): TelemetryError {
  return new TelemetryError('TLM_INVARIANT_BROKEN', `Seal journal: ${problem}.`)
}
