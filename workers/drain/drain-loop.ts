import { TelemetryError } from '#core/errors/telemetry-error'
import type { SealJournal } from '#core/journal/seal-journal'
import { createColumns, type SampleColumns } from '#core/model/columns'
import type { LatencyRecorder } from '#core/observe/latency-recorder'
import type { CircuitBreaker } from '#core/policy/circuit-breaker'
import { type CloseReason, FlushPolicy } from '#core/policy/flush-policy'
import type { DrainStatus } from '#core/protocol/drain-messages'
import type { RingConsumer } from '#core/ring/ring-consumer'
import type { Clock } from '#core/time/clock'
import { shiftHubTime, type WallReader } from '#core/time/wall-memory'
import { AppendWindow, type Chunk, type RollBack } from './append-window.js'
import type { Outlet } from './outlet.js'
import type { SeriesCatalogue } from './series-catalogue.js'
import { Signal } from './signal.js'

/** A series is announced before its first sample is published: it is here as soon as messages are read. */
const SERIES_WAIT_MS = 5000

const LATENCIES_PER_CHUNK = 256

/** The ring is looked at again after so long even when nothing woke the worker. */
const RING_WAIT_MS = 1000

/** While sealing waits for the clock to be known, it is asked for after so long. */
const HELD_LOOK_MS = 20
/** A ring with more than this share of its slots in use is sealed whether the clock is known or not. */
const HELD_SHARE = 0.5

/** Points between the steps of the journal, where crash tests end the worker. */
export type DrainStep = 'drained' | 'stamped' | 'cut' | 'sealed' | 'sent' | 'settled' | 'released'

export interface DrainLoopOptions {
  ring: RingConsumer
  journal: SealJournal
  outlet: Outlet
  catalogue: SeriesCatalogue
  breaker: CircuitBreaker
  latency: LatencyRecorder
  clock: Clock
  /** Turns hub time into wall time; absent: stamps are wall time already. */
  wall?: WallReader
  /** Most rows of a chunk; at least `maxSamples`. More rows than that, when they wait, are split among more shards. */
  capacity: number
  /** So many waiting samples close a chunk, */
  maxSamples: number
  /** or so long after the last chunk. Read anew each time. */
  readonly maxAgeMs: number
  /** As the journal was made for. */
  maxInFlight: number
  /** The store went or came. */
  onStoreChange: () => void
  onRollBack: (rollBack: RollBack) => void
  onStep?: (step: DrainStep) => void
}

/**
 * Takes samples out of a ring in chunks, has them stored, and only then gives their slots back.
 *
 * A chunk is drained, cut into parcels, entered into the journal and sent; several are in flight. The oldest, once
 * stored, is settled in the journal (which counts it) and then released from the ring. A worker may end anywhere in
 * between; the next one, given the same ring and journal, goes on:
 *
 * - before the entry is made known: nothing was sent, the samples are drained anew and may be cut otherwise;
 * - after that, before the chunk is settled: it is cut the same again and sent again, the store knows what it has;
 * - after it is settled, before it is released: it is counted, the release is made good.
 *
 * Thread: a drain worker's. The event loop runs between any two chunks.
 */
export class DrainLoop {
  readonly #options: DrainLoopOptions
  readonly #window: AppendWindow
  readonly #flush: FlushPolicy
  readonly #signal = new Signal()
  readonly #spare: SampleColumns[]
  readonly #onStep: (step: DrainStep) => void
  /** By shard: the last seq used. */
  #seqs: Float64Array
  #isStopping = false
  #isRingAwaited = false
  #isStoreUp = true
  #hadGap = false

  constructor(options: DrainLoopOptions) {
    this.#options = options
    this.#onStep = options.onStep ?? (() => {})
    this.#flush = new FlushPolicy(options)
    this.#spare = Array.from({ length: options.maxInFlight + 1 }, () => createColumns(options.capacity))
    this.#seqs = new Float64Array(options.journal.shards)
    this.#window = new AppendWindow({
      outlet: options.outlet,
      journal: options.journal,
      onOutcome: (isStored) => this.#hear(isStored),
      onRollBack: options.onRollBack,
    })
  }

  get status(): DrainStatus {
    const { breaker } = this.#options
    const { lastError, retried } = this.#window
    return {
      storeUp: this.#isStoreUp,
      breaker: breaker.state,
      breakerOpenings: breaker.openings,
      batchesRetried: retried,
      ...(lastError !== undefined && { lastError }),
    }
  }

  /** Makes {@link run} resolve once all that is in the ring is stored. */
  drainAndStop(): void {
    this.#isStopping = true
    this.#signal.raise()
  }

  /**
   * Runs until told to stop.
   *
   * @throws TLM_INVARIANT_BROKEN ring and journal do not fit together, or a sample names a series that does not exist
   */
  async run(): Promise<void> {
    await this.#recover()
    for (;;) {
      this.#settle()
      if (this.#window.isBlocked) await this.#mend()
      else if (this.#window.size === this.#options.maxInFlight) await this.#signal.next()
      else if (!(await this.#sealOrWait())) return
    }
  }

  /** Makes good what a worker before this one left half done. */
  async #recover(): Promise<void> {
    const { ring, journal } = this.#options
    const { settledIndex } = journal.totals()
    const unreleased = (settledIndex - ring.position) >>> 0
    if (unreleased > ring.backlog) throw broken(`is settled ${unreleased} samples ahead of the ring`)
    const columns = this.#spare.at(-1)!
    for (let left = unreleased; left > 0; ) {
      const drained = ring.drain(columns, left)
      ring.release(drained)
      left -= drained
    }
    const chunks = journal.unsettled()
    this.#seqs = journal.seqsBefore(chunks[0]?.number)
    for (const { number, first, samples, reason, wallOffsetUs } of chunks) {
      const columns = this.#spare.pop()
      if (columns === undefined || ring.position !== first) throw broken(`has chunk ${number} at ${first}`)
      if (ring.drain(columns, samples) !== samples) throw broken(`has ${samples} samples in chunk ${number}`)
      if (wallOffsetUs !== undefined) shiftHubTime(columns.takenAtUs, columns.count, wallOffsetUs)
      await this.#coverSeries(columns)
      const parcels = this.#options.outlet.cut(columns, this.#seqs)
      const expected = journal.seqsBefore(number + 1)
      if (this.#seqs.some((seq, shard) => seq !== expected[shard])) throw broken(`has other batches in chunk ${number}`)
      const seen = new Set<number>()
      for (const parcel of parcels) {
        if (!seen.has(parcel.shard)) parcel.after = journal.afterOf(number, parcel.shard)
        seen.add(parcel.shard)
      }
      this.#window.adopt({ number, columns, reason, parcels, outcomes: parcels.map(() => undefined) })
    }
  }

  /** @returns `false` when all is done and the loop was told to stop */
  async #sealOrWait(): Promise<boolean> {
    const { ring, clock } = this.#options
    const backlog = ring.backlog
    if (this.#isHeld(backlog)) {
      await this.#signal.next(HELD_LOOK_MS)
      return true
    }
    const nowMs = clock.monotonicMs()
    const reason = this.#flush.look(backlog, nowMs) ?? (this.#isStopping && backlog > 0 ? 'stop' : undefined)
    if (reason !== undefined) {
      await this.#seal(reason)
      // Replies and messages have their turn between chunks.
      await nextTurn()
    } else if (backlog > 0) {
      await this.#signal.next(this.#flush.waitMs(nowMs))
    } else if (this.#isStopping && this.#window.size === 0) {
      return false
    } else {
      this.#awaitRing()
      await this.#signal.next()
    }
    return true
  }

  async #seal(reason: CloseReason): Promise<void> {
    const { ring, journal, outlet } = this.#options
    const columns = this.#spare.pop()!
    const first = ring.position
    ring.drain(columns)
    const wallOffsetUs = this.#stamp(columns)
    const whole = outlet.wholeRows(columns, columns.count === columns.capacity)
    ring.rewind(columns.count - whole)
    columns.count = whole
    this.#onStep('drained')
    await this.#coverSeries(columns)
    this.#flush.taken(this.#options.clock.monotonicMs())
    const parcels = outlet.cut(columns, this.#seqs)
    this.#onStep('cut')
    const chunk = { first, samples: columns.count, batches: parcels.length, reason, wallOffsetUs }
    const number = journal.seal(chunk, this.#seqs)
    this.#onStep('sealed')
    this.#window.add({ number, columns, reason, parcels, outcomes: parcels.map(() => undefined) })
    this.#onStep('sent')
  }

  #isHeld(backlog: number): boolean {
    const { wall, ring } = this.#options
    return wall?.isHeld === true && backlog > 0 && backlog < ring.capacity * HELD_SHARE && !this.#isStopping
  }

  /**
   * Gives samples their wall time. A successor must cut the same batches of them, whatever the clock says by then: one
   * number goes into the journal; where it takes more, the instants go back into the ring, whose lines the producer must fetch again then.
   *
   * @returns what was added to stamps in hub time, for the journal; 0 when a successor needs nothing
   */
  #stamp(columns: SampleColumns): number {
    const { wall, ring } = this.#options
    if (wall === undefined) return 0
    wall.load()
    const wallOffsetUs = wall.stamp(columns.takenAtUs, columns.count)
    if (wallOffsetUs === undefined) ring.restamp(columns)
    this.#onStep('stamped')
    return wallOffsetUs ?? 0
  }

  #settle(): void {
    const { ring, journal } = this.#options
    for (let chunk = this.#window.takeStored(); chunk !== undefined; chunk = this.#window.takeStored()) {
      journal.settle(chunk.parcels, countsOf(chunk))
      this.#onStep('settled')
      ring.release(chunk.columns.count)
      if (!chunk.outcomes.includes('spooled')) this.#recordLatency(chunk.columns)
      this.#spare.push(chunk.columns)
      this.#onStep('released')
    }
  }

  /** Waits for the appends under way or for the breaker, then sends again. */
  async #mend(): Promise<void> {
    const { breaker } = this.#options
    if (this.#window.calls > 0) return this.#signal.next()
    const failure = this.#window.takeFailure()
    // A gap is mended at once; one that comes again is no better than an outage.
    if (failure === 'outage' || (failure === 'gap' && this.#hadGap)) this.#fail()
    if (failure !== undefined) this.#hadGap = failure === 'gap'
    if (!breaker.mayTry()) return this.#signal.next(breaker.waitMs)
    this.#window.resend(breaker.state === 'half-open' ? 1 : this.#window.size)
  }

  #hear(isStored: boolean): void {
    if (isStored) {
      this.#options.breaker.succeeded()
      this.#hadGap = false
      this.#setStoreUp(true)
    }
    this.#signal.raise()
  }

  #fail(): void {
    this.#options.breaker.failed()
    this.#setStoreUp(false)
  }

  #setStoreUp(isUp: boolean): void {
    if (this.#isStoreUp === isUp) return
    this.#isStoreUp = isUp
    this.#options.onStoreChange()
  }

  #awaitRing(): void {
    if (this.#isRingAwaited) return
    this.#isRingAwaited = true
    void this.#options.ring.waitAsync(RING_WAIT_MS).then(() => {
      this.#isRingAwaited = false
      this.#signal.raise()
    })
  }

  async #coverSeries(columns: SampleColumns): Promise<void> {
    const { catalogue, clock } = this.#options
    if (catalogue.covers(columns)) return
    const untilMs = clock.monotonicMs() + SERIES_WAIT_MS
    while (!catalogue.covers(columns)) {
      if (clock.monotonicMs() > untilMs) throw broken('meets samples of a series that nobody announced')
      await nextTurn()
    }
  }

  /** A large chunk is told by some of its samples, evenly spread, each for those around it. */
  #recordLatency({ takenAtUs, count }: SampleColumns): void {
    const { latency, clock, wall } = this.#options
    const nowUs = (wall ?? clock).nowUs()
    const step = Math.ceil(count / LATENCIES_PER_CHUNK)
    for (let row = 0; row < count; row += step) latency.record(nowUs - takenAtUs[row], Math.min(step, count - row))
  }
}

function countsOf({ parcels, outcomes, reason }: Chunk) {
  const counts = { batchesStored: 0, batchesDuplicate: 0, bytesStored: 0, batchesSpooled: 0, samplesSpooled: 0 }
  const closed = { closedBySamples: 0, closedByBytes: 0, closedByAge: 0, closedByStop: 0 }
  const names = {
    samples: 'closedBySamples',
    bytes: 'closedByBytes',
    age: 'closedByAge',
    stop: 'closedByStop',
  } as const
  for (let index = 0; index < parcels.length; index++) {
    const { bytes, samples, closedBy = reason } = parcels[index]
    if (outcomes[index] === 'stored') {
      counts.batchesStored++
      counts.bytesStored += bytes
    } else if (outcomes[index] === 'spooled') {
      counts.batchesSpooled++
      counts.samplesSpooled += samples
    } else counts.batchesDuplicate++
    closed[names[closedBy]]++
  }
  return { ...counts, ...closed }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function broken(problem: string): TelemetryError {
  return new TelemetryError('TLM_INVARIANT_BROKEN', `Drain loop: the journal ${problem}.`)
}
