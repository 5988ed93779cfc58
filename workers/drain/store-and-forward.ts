import type { SealJournal } from '#core/journal/seal-journal'
import type { AppendOutcome, SealedBatch } from '#core/transport/batch-stream'
import type { KeptBatches } from '../spool/kept-batches.js'
import { recordBytes } from '../spool/record-format.js'
import type { Spool } from '../spool/spool.js'
import type { OutletOutcome } from './outlet.js'
import type { PressureSpill } from './pressure-spill.js'
import type { SpoolReplay } from './spool-replay.js'
import { isStored, type StoreLink } from './store-link.js'

export interface StoreAndForwardOptions {
  spool: Spool
  link: StoreLink
  replay: SpoolReplay
  kept: KeptBatches
  spill: PressureSpill
  /** Tells the numbers that a worker before this one has used. */
  journal: SealJournal
  /** Hears of a fault of the program, after which this worker must not go on. */
  onFailure: (error: unknown) => void
}

/**
 * Sends batches to the store while it takes them, and to the spool while it does not, or is not to be given any. As long as batches of a shard are
 * in the spool, those that follow go behind them: a device's samples stay in order.
 *
 * Thread: the drain worker's.
 */
export class StoreAndForward {
  readonly shards: number
  readonly #options: StoreAndForwardOptions
  readonly #replaying: Promise<void>
  /** By shard: the number that is accepted next; what follows one that was not accepted must wait for it. */
  readonly #next: Float64Array
  /** By shard: the last number that was counted as offered. */
  readonly #offered: Float64Array
  /** By shard: batches that are to be spooled once all under way have resolved. */
  readonly #waiting: Uint32Array
  #latest: Promise<unknown> = Promise.resolve()

  constructor(options: StoreAndForwardOptions) {
    const { journal, kept, spool, replay } = options
    this.#options = options
    this.shards = journal.shards
    this.#next = journal.seqsBefore(journal.unsettled()[0]?.number).map((seq) => seq + 1)
    this.#offered = this.#next.map((seq) => seq - 1)
    this.#waiting = new Uint32Array(this.shards)
    for (let shard = 0; shard < this.shards; shard++) {
      const numbering = spool.numberingOf(shard)
      for (const { seq, samples } of journal.settledBatches(shard)) {
        if (spool.wasDelivered(shard, seq)) kept.learn(numbering, seq, samples)
      }
    }
    this.#replaying = replay.run().catch(options.onFailure)
  }

  /**
   * Stores or spools batches, in order; pipelined. A batch that neither store nor spool takes gets the store's outcome,
   * or `refused`, and so does every later one of its shard.
   */
  append(batches: readonly SealedBatch[]): Promise<OutletOutcome[]> {
    const { spool, link, replay, kept, spill } = this.#options
    spill.look()
    const ways = new Map<number, boolean>()
    const live: SealedBatch[] = []
    const outcomes = batches.map((batch): OutletOutcome | undefined => {
      this.#offer(batch)
      if (spool.wasSpooled(batch)) {
        // By a worker before this one, which may have delivered it too and then died before it was settled.
        if (spool.wasDelivered(batch.shard, batch.seq)) kept.learn(batch, batch.seq, batch.samples)
        // Nothing was spooled before all that precedes it was stored or spooled.
        this.#next[batch.shard] = Math.max(this.#next[batch.shard], batch.seq + 1)
        return { kind: 'spooled' }
      }
      const isLive = ways.get(batch.shard) ?? this.#isLive(batch)
      ways.set(batch.shard, isLive)
      if (isLive) live.push(batch)
      else this.#waiting[batch.shard]++
      return undefined
    })
    const sent = live.length > 0 ? link.append(live) : Promise.resolve([])
    if (live.length > 0) replay.liveSent(live)
    const ended = this.#latest.then(async () => this.#end(batches, outcomes, live, await sent))
    // Nothing that the store or the disk does comes here.
    this.#latest = ended.catch(this.#options.onFailure)
    return ended
  }

  /** Lets what is under way resolve. What is in the spool stays there for the next run. */
  async close(): Promise<void> {
    const { spool, link, replay } = this.#options
    await this.#latest
    replay.stop()
    await this.#replaying
    spool.close()
    await link.close()
  }

  #offer(batch: SealedBatch): void {
    if (batch.seq <= this.#offered[batch.shard]) return
    this.#offered[batch.shard] = batch.seq
    const bytes = recordBytes(batch)
    this.#options.spool.offered(batch.samples, bytes)
    this.#options.spill.pace.offered(bytes)
  }

  #isLive(batch: SealedBatch): boolean {
    const { spool, link, replay, spill } = this.#options
    if (spill.isHolding) return false
    if (this.#waiting[batch.shard] > 0 || !replay.mayPass(batch)) return false
    // With nothing in the spool to try the store with, a live batch is the try.
    return link.isReady || (link.isOpen && spool.counts.heldBatches === 0 && link.breaker.mayTry())
  }

  #end(
    batches: readonly SealedBatch[],
    outcomes: (OutletOutcome | undefined)[],
    live: readonly SealedBatch[],
    results: readonly AppendOutcome[],
  ): OutletOutcome[] {
    const { kept, replay } = this.#options
    const left: number[] = []
    let answered = 0
    for (const [index, batch] of batches.entries()) {
      if (outcomes[index] !== undefined) continue
      const result = live[answered] === batch ? results[answered++] : undefined
      if (result === undefined) this.#waiting[batch.shard]--
      if (result !== undefined && isStored(result)) {
        kept.add(batch)
        outcomes[index] = result
        this.#next[batch.shard] = Math.max(this.#next[batch.shard], batch.seq + 1)
      } else {
        left.push(index)
        outcomes[index] = result
      }
    }
    if (left.length > 0) this.#spool(batches, outcomes, left)
    replay.liveEnded(live)
    return outcomes as OutletOutcome[]
  }

  /** Spools what the store did not take, each batch behind all before it of its shard. */
  #spool(batches: readonly SealedBatch[], outcomes: (OutletOutcome | undefined)[], left: readonly number[]): void {
    const { spool, spill, link } = this.#options
    const next = this.#next.slice()
    const ready = left.filter((index) => {
      const { shard, seq } = batches[index]
      if (seq > next[shard]) return false
      next[shard] = Math.max(next[shard], seq + 1)
      return true
    })
    // What is in the spool by choice is not given up for what follows: the store takes it.
    const mayDrop = spill.state === 'off' || !link.isReady
    const toWrite = ready.map((index) => batches[index])
    const written = ready.length === 0 ? 0 : spool.append(toWrite, mayDrop)
    spill.spooled(toWrite.slice(0, written))
    for (const index of ready.slice(0, written)) {
      const { shard, seq } = batches[index]
      outcomes[index] = { kind: 'spooled' }
      this.#next[shard] = Math.max(this.#next[shard], seq + 1)
    }
    const message = spool.problem ?? 'an earlier batch of the shard is not stored yet'
    for (const index of left) {
      if (outcomes[index]?.kind === 'gap') outcomes[index] = undefined
      outcomes[index] ??= { kind: 'refused', reason: 'full', message }
    }
  }
}
