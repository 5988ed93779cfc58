import { createSealJournal } from '#core/journal/layout'
import { SealJournal } from '#core/journal/seal-journal'
import type { SeriesDescriptor } from '#core/model/series'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { CircuitBreaker } from '#core/policy/circuit-breaker'
import { createRing } from '#core/ring/layout'
import { RingConsumer } from '#core/ring/ring-consumer'
import { RingProducer } from '#core/ring/ring-producer'
import { systemClock } from '#core/time/clock'
import { WallReader } from '#core/time/wall-memory'
import type { RollBack } from '#workers/drain/append-window'
import { DrainLoop } from '#workers/drain/drain-loop'
import { SeriesCatalogue } from '#workers/drain/series-catalogue'
import { StreamOutlet } from '#workers/drain/stream-outlet'
import { MemoryStore } from './memory-store.js'
import { storedSequences } from './stored-sequences.js'

/** Thrown at a kill point: ends a worker as a crash would, nothing after it runs. */
export class Killed extends Error {}

export interface DrainBenchOptions {
  devices: number
  shards: number
  slots: number
  maxSamples: number
  maxBytes: number
  maxInFlight: number
  startIndex?: number
  /** Stamp of the first sample. Microseconds. */
  takenAtUs: number
  /** Where hub time lies in wall time; absent: stamps are wall time. */
  wall?: SharedArrayBuffer
}

const DEFAULTS: DrainBenchOptions = {
  devices: 5,
  shards: 3,
  slots: 64,
  maxSamples: 16,
  maxBytes: 600,
  maxInFlight: 3,
  startIndex: 2 ** 32 - 40,
  takenAtUs: 1_700_000_000_000_000,
}

/** One ring, one journal and one store, drained by workers that live as long as the test lets them, on one thread. */
export class DrainBench {
  readonly store: MemoryStore
  readonly producer: RingProducer
  readonly ringMemory: SharedArrayBuffer
  readonly journalMemory: SharedArrayBuffer
  readonly rollBacks: RollBack[] = []
  /** Hears each roll-back; may throw {@link Killed}. */
  onRollBack: () => void = () => {}
  readonly series: SeriesDescriptor[]
  readonly #options: DrainBenchOptions
  readonly #published: number[]
  #loop: DrainLoop | undefined
  #catalogue: SeriesCatalogue | undefined

  constructor(options: Partial<DrainBenchOptions> = {}) {
    this.#options = { ...DEFAULTS, ...options }
    const { devices, shards, slots, maxInFlight, startIndex } = this.#options
    this.store = new MemoryStore(shards)
    this.ringMemory = createRing({ slots, rawBytes: 0, ...(startIndex !== undefined && { startIndex }) })
    this.journalMemory = createSealJournal({ shards, maxInFlight, ...(startIndex !== undefined && { startIndex }) })
    this.producer = new RingProducer(this.ringMemory)
    this.series = Array.from({ length: devices }, (_, n) => ({ device: `device-${n}`, channel: 'value', unit: '' }))
    this.#published = new Array(devices).fill(0)
  }

  get published(): number {
    return this.#published.reduce((sum, count) => sum + count, 0)
  }

  get totals() {
    return new SealJournal(this.journalMemory).totals()
  }

  get catalogue(): SeriesCatalogue {
    return this.#catalogue!
  }

  get loop(): DrainLoop {
    return this.#loop!
  }

  /** Publishes so many samples, one device after the other, each numbered from 0; as many as fit. */
  publish(samples: number): void {
    for (let n = 0; n < samples; n++) {
      const device = this.published % this.series.length
      const sequence = this.#published[device]
      const takenAtUs = this.#options.takenAtUs + this.published * 100
      const isIn = this.producer.tryPublishReading(takenAtUs, [device], [sequence / 2], sequence, 0, 1)
      if (!isIn) return
      this.#published[device]++
    }
  }

  /** Runs one worker to its end; `onStep` may throw {@link Killed}. @returns whether it was killed */
  async runWorker(onStep: (step: string) => void = () => {}, stops = true): Promise<boolean> {
    const { shards, maxSamples, maxBytes, maxInFlight, wall } = this.#options
    const capacity = maxSamples * 2
    const catalogue = new SeriesCatalogue(shards, this.series)
    this.#catalogue = catalogue
    const store = this.store.openProducer()
    const outletOptions = { store, catalogue, producer: 'hub.r0', epoch: 7, maxSamples, maxBytes, capacity }
    let isDead = false
    const step = (name: string) => {
      if (isDead) throw new Killed(name)
      try {
        onStep(name)
      } catch (error) {
        isDead = true
        throw error
      }
    }
    try {
      this.#loop = new DrainLoop({
        ring: new RingConsumer(this.ringMemory),
        journal: new SealJournal(this.journalMemory, step),
        outlet: new StreamOutlet(outletOptions),
        catalogue,
        breaker: new CircuitBreaker({
          failuresToOpen: 2,
          backoff: { baseMs: 1, maxMs: 2 },
          nowMs: systemClock.monotonicMs,
        }),
        latency: new LatencyRecorder(),
        clock: systemClock,
        ...(wall !== undefined && { wall: new WallReader(wall) }),
        capacity,
        maxSamples,
        maxAgeMs: 0,
        maxInFlight,
        onStoreChange: () => {},
        onRollBack: (rollBack) => {
          this.rollBacks.push(rollBack)
          this.onRollBack()
        },
        onStep: step,
      })
      if (stops) this.#loop.drainAndStop()
      await this.#loop.run()
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
      this.series.map(({ device }) => device),
    )
  }

  /** What {@link stored} must be when nothing was lost. */
  expected(): number[][] {
    return this.#published.map((count) => Array.from({ length: count }, (_, sequence) => sequence))
  }
}
