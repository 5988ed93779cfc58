import { batchId } from '#core/model/batch'
import type { LatencyRecorder } from '#core/observe/latency-recorder'
import type { Clock } from '#core/time/clock'
import type { AppendOutcome, SealedBatch } from '#core/transport/batch-stream'
import type { KeptBatches } from '../spool/kept-batches.js'
import type { SpooledBatch } from '../spool/segment-reader.js'
import type { Spool } from '../spool/spool.js'
import type { RollBack } from './append-window.js'
import type { PressureSpill } from './pressure-spill.js'
import { Signal } from './signal.js'
import { isStored, type StoreLink } from './store-link.js'

/** Bodies of replay that are under way at most. */
const WINDOW_BYTES = 2 * 2 ** 20
/** Bodies of one append. */
const CALL_BYTES = 256 * 1024
/** Live batches count as flowing for so long after the last. */
const LIVE_FOR_MS = 500

/** The store was given again what it had lost and what was kept. */
export interface Repair {
  shard: number
  highWaterSeq: number
  batches: number
  samples: number
}

export interface SpoolReplayOptions {
  spool: Spool
  link: StoreLink
  kept: KeptBatches
  spill: PressureSpill
  /** Part of {@link WINDOW_BYTES} that is left to live batches while they flow, 0..0.95. */
  liveShare: number
  latency: LatencyRecorder
  clock: Clock
  onRollBack: (rollBack: RollBack) => void
  onRepair: (repair: Repair) => void
}

/**
 * Sends what is in the spool, oldest first, pipelined, whenever the store takes it and is to be given it. When an append fails, nothing more
 * is sent until all under way have resolved; then what is not known to be stored goes again from the first on: the store
 * recognises what it has.
 *
 * Within a shard, batches of another numbering wait until all before them are stored: only within a numbering does the
 * store refuse what would overtake.
 *
 * Thread: the drain worker's.
 */
export class SpoolReplay {
  readonly #options: SpoolReplayOptions
  readonly #signal = new Signal()
  /** By shard: batches taken and not acknowledged. */
  readonly #under = new Map<number, { numbering: string; batches: number }>()
  /** By shard: live batches under way. */
  readonly #live = new Map<number, number>()
  #liveAtMs = Number.NEGATIVE_INFINITY
  #calls = 0
  #bytes = 0
  #sentAgain = 0
  #isBlocked = false
  #isStopping = false
  /** The store's high water as the oldest batch met it. */
  #gap: number | undefined
  #hadGap = false
  #failure: { error: unknown } | undefined

  constructor(options: SpoolReplayOptions) {
    this.#options = options
  }

  /** Batches sent again. */
  get sentAgain(): number {
    return this.#sentAgain
  }

  /** Whether a live batch of the numbering may be sent now: nothing of the shard is before it that is not under way. */
  mayPass({ shard, producer, epoch }: SealedBatch): boolean {
    const { spool } = this.#options
    if (spool.unreadOf(shard) > 0) return false
    const under = this.#under.get(shard)
    return under === undefined || (!this.#isBlocked && under.numbering === `${producer} ${epoch}`)
  }

  liveSent(batches: readonly SealedBatch[]): void {
    this.#liveAtMs = this.#options.clock.monotonicMs()
    for (const { shard } of batches) this.#live.set(shard, (this.#live.get(shard) ?? 0) + 1)
  }

  liveEnded(batches: readonly SealedBatch[]): void {
    for (const { shard } of batches) this.#live.set(shard, this.#live.get(shard)! - 1)
    this.#signal.raise()
  }

  /** What is in the spool may be sent again. */
  wake(): void {
    this.#signal.raise()
  }

  stop(): void {
    this.#isStopping = true
    this.#signal.raise()
  }

  /** Runs until stopped and nothing is under way. Never rejects for a store that fails. @throws what went wrong here */
  async run(): Promise<void> {
    const { spool, link, spill } = this.#options
    while (!this.#isStopping || this.#calls > 0) {
      if (this.#failure !== undefined) throw this.#failure.error
      if (this.#isBlocked && !this.#mayBeginAnew()) await this.#signal.next()
      else if (this.#isStopping || (link.isOpen && (spill.isHolding || spool.unread === 0))) await this.#signal.next()
      else if (!link.breaker.mayTry()) await this.#signal.next(link.breaker.waitMs)
      else if (!link.isOpen) await link.open()
      else if (!this.#send()) await this.#signal.next(spill.pace.waitMs)
      // Replies, messages and the ring have their turn between appends.
      else await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** Once nothing is under way: all that is not acknowledged is put back. */
  #mayBeginAnew(): boolean {
    if (this.#calls > 0) return false
    for (const shard of this.#under.keys()) if ((this.#live.get(shard) ?? 0) > 0) return false
    this.#sentAgain += this.#options.spool.taken.length
    this.#options.spool.rewind()
    this.#under.clear()
    this.#isBlocked = false
    return true
  }

  /** @returns whether something was sent */
  #send(): boolean {
    const { spool, link, spill } = this.#options
    const isProbe = link.breaker.state !== 'closed'
    if (isProbe && this.#calls > 0) return false
    const room = Math.min(this.#window() - this.#bytes, spill.pace.allowance())
    if (room <= 0) return false
    const batches = spool.take(isProbe ? 1 : Math.min(room, CALL_BYTES), (batch) => this.#mayFollow(batch))
    if (batches.length === 0) return false
    const again = this.#gap === undefined ? [] : this.#fillGap(batches[0], this.#gap)
    this.#gap = undefined
    const bytes = batches.reduce((sum, { body }) => sum + body.byteLength, 0)
    this.#calls++
    this.#bytes += bytes
    spill.pace.sent(bytes)
    void link
      .append([...again, ...batches])
      .then((outcomes) => {
        this.#calls--
        this.#bytes -= bytes
        this.#hear(again, batches, outcomes)
      })
      .catch((error: unknown) => {
        this.#failure = { error }
      })
      .finally(() => this.#signal.raise())
    return true
  }

  #window(): number {
    const { liveShare, clock } = this.#options
    const isLive = clock.monotonicMs() - this.#liveAtMs < LIVE_FOR_MS
    return isLive ? WINDOW_BYTES * (1 - liveShare) : WINDOW_BYTES
  }

  /** Notes that the batch is taken, unless it has to wait for those before it. */
  #mayFollow({ shard, producer, epoch }: SealedBatch): boolean {
    const numbering = `${producer} ${epoch}`
    const under = this.#under.get(shard)
    if (under === undefined) this.#under.set(shard, { numbering, batches: 1 })
    else if (under.numbering === numbering) under.batches++
    else return false
    return true
  }

  /**
   * The store lacks what is before the oldest batch: that was dropped from the spool, or the store went back in time.
   * What is kept of it goes first; the numbering goes on behind what is not.
   *
   * @returns what to send first
   */
  #fillGap(oldest: SpooledBatch, highWaterSeq: number): SealedBatch[] {
    const { kept, spool, onRollBack } = this.#options
    const { kept: again, lostSamples, lostSeqs } = kept.missing(oldest, highWaterSeq)
    let after = highWaterSeq
    const chain: SealedBatch[] = []
    for (const batch of again) {
      chain.push({ ...batch, after })
      after = batch.seq
    }
    oldest.after = after
    if (lostSamples > 0) {
      spool.rolledBack(oldest, lostSeqs, lostSamples)
      const { shard } = oldest
      onRollBack({ shard, highWaterSeq, samples: lostSamples, batchId: batchId(chain[0] ?? oldest, shard) })
    }
    return chain
  }

  #hear(again: readonly SealedBatch[], batches: readonly SpooledBatch[], outcomes: readonly AppendOutcome[]): void {
    if (this.#isBlocked) return
    const failure = outcomes.find((outcome) => !isStored(outcome))
    const stored = failure === undefined ? outcomes.length : outcomes.indexOf(failure)
    this.#noteRepair(again.slice(0, stored), outcomes)
    const done = batches.slice(0, Math.max(0, stored - again.length))
    this.#acknowledge(done)
    if (done.length > 0) this.#hadGap = false
    if (failure === undefined) return
    this.#isBlocked = true
    if (failure.kind !== 'gap') return
    this.#gap = failure.highWaterSeq
    // A gap is filled at once; one that comes again is no better than an outage.
    if (this.#hadGap) this.#options.link.failed()
    this.#hadGap = true
  }

  #acknowledge(batches: readonly SpooledBatch[]): void {
    const { spool, kept, latency, clock } = this.#options
    const nowUs = clock.nowUs()
    for (const batch of batches) {
      kept.add(batch)
      latency.record(nowUs - batch.firstTakenAtUs, batch.samples)
      const under = this.#under.get(batch.shard)!
      under.batches--
      if (under.batches === 0) this.#under.delete(batch.shard)
    }
    spool.acknowledge(batches.length)
  }

  #noteRepair(again: readonly SealedBatch[], outcomes: readonly AppendOutcome[]): void {
    const stored = again.filter((_, index) => outcomes[index].kind === 'stored')
    if (stored.length === 0) return
    const samples = stored.reduce((sum, batch) => sum + batch.samples, 0)
    const highWaterSeq = stored[0].after ?? stored[0].seq - 1
    this.#options.spool.repaired(samples)
    this.#options.onRepair({ shard: stored[0].shard, highWaterSeq, batches: stored.length, samples })
  }
}
