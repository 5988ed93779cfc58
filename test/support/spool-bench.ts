import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSealJournal } from '#core/journal/layout'
import { SealJournal } from '#core/journal/seal-journal'
import { createSpoolCounts, droppedOf, type SpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { CircuitBreaker } from '#core/policy/circuit-breaker'
import type { SpoolOptions } from '#core/protocol/drain-messages'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import { systemClock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { RollBack } from '#workers/drain/append-window'
import { DrainLoop } from '#workers/drain/drain-loop'
import { SeriesCatalogue } from '#workers/drain/series-catalogue'
import type { Repair } from '#workers/drain/spool-replay'
import { SpooledStore } from '#workers/drain/spooled-store'
import { StreamOutlet } from '#workers/drain/stream-outlet'
import { Killed } from './drain-bench.js'
import { MemoryStore } from './memory-store.js'
import { storedSequences } from './stored-sequences.js'

export interface SpoolBenchOptions {
  devices: number
  shards: number
  maxSamples: number
  maxInFlight: number
  spool: Partial<Omit<SpoolOptions, 'counts' | 'directory'>>
}

const SLOTS = 256
const TAKEN_AT_US = 1_700_000_000_000_000

/** One life of a hub's ring: a hub that is killed loses it. */
interface Run {
  ring: SharedArrayBuffer
  journal: SharedArrayBuffer
  counts: SharedArrayBuffer
  producer: RingProducer
  epoch: number
  accepted: number
}

/**
 * A hub's ring, journal, spool on disk and a store in memory, drained by workers that live as long as the test lets
 * them, in runs that may be killed. All on one thread.
 */
export class SpoolBench {
  readonly store: MemoryStore
  readonly directory = mkdtempSync(join(tmpdir(), 'telemetryhub-spool-bench-'))
  readonly rollBacks: RollBack[] = []
  readonly repairs: Repair[] = []
  /** Samples that a killed run had accepted, and that were in nothing but its ring. */
  lostInRings = 0
  readonly #options: SpoolBenchOptions
  /** By device: the next sequence; goes on over runs, so that order shows. */
  readonly #published: number[]
  #run: Run
  /** The processors are behind: told to every worker. */
  #isHeld = false
  #epoch = 1_700_000_000_000_000

  constructor(options: Partial<SpoolBenchOptions> = {}) {
    this.#options = { devices: 4, shards: 3, maxSamples: 8, maxInFlight: 3, spool: {}, ...options }
    this.store = new MemoryStore(this.#options.shards)
    this.#published = new Array(this.#options.devices).fill(0)
    this.#run = this.#newRun()
  }

  get published(): number {
    return this.#published.reduce((sum, count) => sum + count, 0)
  }

  get counts(): SpoolCounts {
    return new SpoolCountsView(this.#run.counts).read()
  }

  /** The ledger of the run, as the hub makes it. */
  get ledger() {
    const totals = new SealJournal(this.#run.journal).totals()
    const { counts } = this
    const spooled = counts.recovered + totals.samplesSpooled - counts.replayed - droppedOf(counts)
    return {
      accepted: this.#run.accepted,
      recovered: counts.recovered,
      delivered: totals.samplesDelivered + counts.replayed - counts.rolledBack,
      spooled,
      inFlight: (this.#run.producer.position - totals.settledIndex) >>> 0,
      dropped: droppedOf(counts) + counts.rolledBack,
    }
  }

  /** Publishes so many samples, one device after the other; as many as fit. */
  publish(samples: number): void {
    for (let n = 0; n < samples; n++) {
      const device = this.published % this.#published.length
      const sequence = this.#published[device]
      const takenAtUs = TAKEN_AT_US + this.published * 100
      if (!this.#run.producer.tryPublishReading(takenAtUs, [device], [sequence / 2], sequence, 0, 1)) return
      this.#published[device]++
      this.#run.accepted++
    }
  }

  /** Ends the run as SIGKILL does, and begins another. */
  killHub(): void {
    this.lostInRings += this.ledger.inFlight
    this.#run = this.#newRun()
  }

  /**
   * Runs one worker until the ring is empty and all is stored or spooled, or until it is killed; then, when `isPatient`,
   * until the spool is empty too. `onStep` may throw {@link Killed}.
   *
   * @param holdAt steps after which batches are to be held back, or sent again, in turn
   * @returns whether it was killed
   */
  async runWorker(
    isPatient: boolean,
    onStep: (step: string) => void = () => {},
    holdAt: readonly number[] = [],
  ): Promise<boolean> {
    const { shards, maxSamples, maxInFlight, spool } = this.#options
    const { ring, journal, counts, epoch } = this.#run
    const capacity = maxSamples * 4
    const series = this.#published.map((_, n) => ({ device: `device-${n}`, channel: 'value', unit: '' }))
    const catalogue = new SeriesCatalogue(shards, series)
    let isDead = false
    let die: (error: unknown) => void = () => {}
    const died = new Promise<never>((_, reject) => {
      die = reject
    })
    died.catch(() => {})
    let steps = 0
    let hold: (isHeld: boolean) => void = () => {}
    const step = (name: string) => {
      if (isDead) throw new Killed(name)
      if (holdAt.includes(steps++)) setImmediate(() => hold(!this.#isHeld))
      try {
        onStep(name)
      } catch (error) {
        isDead = true
        throw error
      }
    }
    const newBreaker = () =>
      new CircuitBreaker({ failuresToOpen: 2, backoff: { baseMs: 1, maxMs: 2 }, nowMs: systemClock.monotonicMs })
    const latency = new LatencyRecorder()
    try {
      const seals = new SealJournal(journal, step)
      const spooled = await SpooledStore.open({
        options: {
          directory: this.directory,
          counts,
          maxBytes: 2 ** 20,
          maxAgeMs: 3_600_000,
          batchAgeMs: 100,
          fsyncMs: 10_000,
          liveShare: 0.5,
          keep: { bytes: 2 ** 20, ageMs: 60_000 },
          ...spool,
        },
        producer: 'hub.r0',
        epoch,
        journal: seals,
        openStore: async () => this.store.openProducer(),
        breaker: newBreaker(),
        latency,
        clock: systemClock,
        isHeld: this.#isHeld,
        onChange: () => {},
        onRollBack: (rollBack) => this.rollBacks.push(rollBack),
        onRepair: (repair) => this.repairs.push(repair),
        onFailure: die,
        onStep: step,
      })
      hold = (isHeld) => {
        this.#isHeld = isHeld
        if (!isDead) spooled.hold(isHeld)
      }
      // Nobody waits for what a dead worker appends.
      const append = (batches: readonly SealedBatch[]) =>
        isDead ? new Promise<never>(() => {}) : spooled.store.append(batches)
      const outletOptions = { catalogue, producer: 'hub.r0', epoch, maxSamples, maxBytes: 4096, capacity }
      const loop = new DrainLoop({
        ring: new RingConsumer(ring),
        journal: seals,
        outlet: new StreamOutlet({ ...outletOptions, store: { ...spooled.store, append } }),
        catalogue,
        breaker: newBreaker(),
        latency,
        clock: systemClock,
        capacity,
        maxSamples,
        maxAgeMs: 0,
        maxInFlight,
        onStoreChange: () => {},
        onRollBack: (rollBack) => this.rollBacks.push(rollBack),
        onStep: step,
      })
      loop.drainAndStop()
      try {
        await Promise.race([loop.run(), died])
        if (isPatient) hold(false)
        hold = () => {}
        while (isPatient && this.counts.held > 0) {
          await Promise.race([new Promise((resolve) => setImmediate(resolve)), died])
        }
        await spooled.store.close()
      } catch (error) {
        isDead = true
        await spooled.store.close().catch(() => {})
        throw error
      }
      return false
    } catch (error) {
      if (error instanceof Killed) return true
      throw error
    }
  }

  /** Sequences per device as the store has them, in order of storing. */
  stored(): number[][] {
    return storedSequences(
      this.store,
      this.#published.map((_, n) => `device-${n}`),
    )
  }

  /** What {@link stored} must be when nothing was lost. */
  expected(): number[][] {
    return this.#published.map((count) => Array.from({ length: count }, (_, sequence) => sequence))
  }

  close(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }

  #newRun(): Run {
    const { shards, maxInFlight } = this.#options
    const ring = createRing({ slots: SLOTS, rawBytes: 0 })
    return {
      ring,
      journal: createSealJournal({ shards, maxInFlight }),
      counts: createSpoolCounts(shards),
      producer: new RingProducer(ring),
      epoch: this.#epoch++,
      accepted: 0,
    }
  }
}
