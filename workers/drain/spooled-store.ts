import type { SealJournal } from '#core/journal/seal-journal'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import type { CircuitBreaker } from '#core/policy/circuit-breaker'
import type { DrainStatus, SpoolOptions } from '#core/protocol/drain-messages'
import type { Clock } from '#core/time/clock'
import type { BatchProducer } from '#core/transport/batch-stream'
import { KeptBatches } from '../spool/kept-batches.js'
import { Spool, type SpoolStep } from '../spool/spool.js'
import type { RollBack } from './append-window.js'
import { PressureSpill } from './pressure-spill.js'
import { type Repair, SpoolReplay } from './spool-replay.js'
import { StoreAndForward } from './store-and-forward.js'
import { StoreLink } from './store-link.js'
import type { BatchStore } from './stream-outlet.js'

/** Age and the place of delivery are looked at so often. */
const TICK_MS = 1000

export interface SpooledStoreOptions {
  options: SpoolOptions
  producer: string
  epoch: number
  journal: SealJournal
  /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
  openStore: () => Promise<BatchProducer>
  breaker: CircuitBreaker
  /** Is told from reading to stored of what is replayed. */
  latency: LatencyRecorder
  clock: Clock
  /** Begins with batches held back, see {@link SpooledStore.hold}. */
  isHeld?: boolean
  /** The store went or came, or the spill has another state. */
  onChange: () => void
  onRollBack: (rollBack: RollBack) => void
  onRepair: (repair: Repair) => void
  /** Hears of a fault of the program, after which this worker must not go on. */
  onFailure: (error: unknown) => void
  /** Hears every {@link SpoolStep}. */
  onStep?: ((step: SpoolStep) => void) | undefined
}

/** A store with a spool before it, and what keeps both going. Thread: the drain worker's. */
export class SpooledStore {
  readonly store: BatchStore
  /** How long flushes to the disk took. */
  readonly syncs: LatencyRecorder
  readonly #spool: Spool
  readonly #link: StoreLink
  readonly #replay: SpoolReplay
  readonly #spill: PressureSpill

  /**
   * Opens the spool, and tries once to open the store: one that is up gets what comes first without a detour.
   *
   * @throws TLM_STREAM_UNAVAILABLE the spool's directory cannot be used
   */
  static async open(options: SpooledStoreOptions): Promise<SpooledStore> {
    const { openStore, breaker, onChange, journal, producer, epoch, clock, onStep } = options
    const syncs = new LatencyRecorder()
    const onSync = (durationMs: number) => syncs.record(durationMs * 1000)
    const { shards } = journal
    const spool = new Spool({ options: options.options, shards, producer, epoch, clock, onSync, onStep })
    const link = new StoreLink({ open: openStore, breaker, onChange })
    await link.open()
    return new SpooledStore(options, spool, link, syncs)
  }

  private constructor(options: SpooledStoreOptions, spool: Spool, link: StoreLink, syncs: LatencyRecorder) {
    const { journal, latency, clock, onRollBack, onRepair, onFailure, onChange, isHeld = false } = options
    const { liveShare, keep, fsyncMs } = options.options
    const kept = new KeptBatches(keep, clock)
    const spill = new PressureSpill({
      spool,
      clock,
      onChange: () => {
        this.#replay.wake()
        onChange()
      },
    })
    this.syncs = syncs
    this.#spool = spool
    this.#link = link
    this.#spill = spill
    this.#replay = new SpoolReplay({ spool, link, kept, spill, liveShare, latency, clock, onRollBack, onRepair })
    spill.set(isHeld)
    const store = new StoreAndForward({ spool, link, replay: this.#replay, kept, spill, journal, onFailure })
    const timers = [
      setInterval(() => {
        spool.tick()
        spill.look()
        kept.trim()
      }, TICK_MS),
    ]
    if (fsyncMs > 0) timers.push(setInterval(() => spool.sync(), fsyncMs))
    this.store = {
      shards: store.shards,
      append: (batches) => store.append(batches),
      close: async () => {
        for (const timer of timers) clearInterval(timer)
        await store.close()
      },
    }
  }

  /** The store takes nothing, or is not to be given anything: batches go to the spool. */
  get isSpooling(): boolean {
    return (!this.#link.isReady || this.#spill.isHolding) && this.#spool.problem === undefined
  }

  /** Holds batches back in the spool, or sends them again; what is under way goes on. */
  hold(isHeld: boolean): void {
    this.#spill.set(isHeld)
  }

  get status(): DrainStatus {
    const { isUp, breaker, lastError } = this.#link
    const { problem } = this.#spool
    return {
      storeUp: isUp,
      breaker: breaker.state,
      breakerOpenings: breaker.openings,
      batchesRetried: this.#replay.sentAgain,
      spill: this.#spill.state,
      ...(lastError !== undefined && { lastError }),
      ...(problem !== undefined && { spoolProblem: problem }),
    }
  }
}
