import { createSealJournal } from '#core/journal/layout'
import { type JournalTotals, SealJournal } from '#core/journal/seal-journal'
import type { Priority } from '#core/model/priority'
import type { SeriesDescriptor } from '#core/model/series'
import { LatencyRecorder } from '#core/observe/latency-recorder'
import { CircuitBreaker } from '#core/policy/circuit-breaker'
import { createRing } from '#core/ring/layout'
import { RingProducer } from '#core/ring/ring-producer'
import { openBatchProducer } from '#core/transport/redis/redis-stream'
import { DrainLoop } from '#workers/drain/drain-loop'
import { SeriesCatalogue } from '#workers/drain/series-catalogue'
import { StreamOutlet } from '#workers/drain/stream-outlet'
import { Actor } from '../engine/actor.js'
import { EPOCH_MS } from '../engine/virtual-globals.js'
import type { World } from '../world.js'
import { MARKS } from './marks.js'
import { SimulatedRing } from './simulated-ring.js'

/** Ends a worker in the middle of a step, as a crash would. */
class Killed extends Error {}

/** As the drain worker has them, but sooner. */
const BACKOFF = { baseMs: 50, maxMs: 1000 }
const FAILURES_TO_OPEN = 3
const SLOTS = 64
const RING_WAKE_MS = 0.5

/** Nobody looks at them. */
const latency = new LatencyRecorder()

/**
 * A hub: its main thread publishes samples of a few devices, its drain worker is the real drain loop with the real journal
 * and ring. The worker may end at any event and in the middle of each step; the next one goes on.
 */
export class SimulatedHub {
  readonly name: string
  readonly #world: World
  readonly #main: Actor
  readonly #devices: readonly string[]
  readonly #series: SeriesDescriptor[]
  readonly #ringMemory: SharedArrayBuffer
  readonly #journalMemory: SharedArrayBuffer
  readonly #producer: RingProducer
  readonly #publishedOf: number[]
  #published = 0
  #worker: Actor | undefined
  #ring: SimulatedRing | undefined
  #loop: DrainLoop | undefined
  #workers = 0
  #isStopping = false
  #hasStopped = false
  /** Steps until the worker is killed in one; `undefined`: it is not. */
  #stepsLeft: number | undefined

  constructor(world: World, name: string, devices: readonly string[]) {
    const { plan, random } = world
    this.#world = world
    this.name = name
    this.#main = new Actor(`${name}.main`)
    this.#devices = devices
    this.#series = devices.map((device) => ({ device, channel: 'value', unit: '' }))
    const startIndex = random.chance(0.3) ? 2 ** 32 - random.whole(1, plan.samplesPerHub) : 0
    this.#ringMemory = createRing({ slots: SLOTS, rawBytes: 0, startIndex })
    const startChunk = random.chance(0.3) ? 2 ** 32 - random.whole(1, 4) : 0
    this.#journalMemory = createSealJournal({
      shards: plan.shards,
      maxInFlight: plan.chunksInFlight,
      startIndex,
      startChunk,
    })
    this.#producer = new RingProducer(this.#ringMemory)
    this.#publishedOf = devices.map(() => 0)
  }

  /** Of its drain worker. */
  get worker(): Actor | undefined {
    return this.#worker
  }

  get published(): number {
    return this.#published
  }

  publishedOf(device: string): number {
    return this.#publishedOf[this.#devices.indexOf(device)]
  }

  get totals(): JournalTotals {
    return new SealJournal(this.#journalMemory).totals()
  }

  /** All is published, stored and settled, and the worker has ended. */
  get isDone(): boolean {
    return this.#hasStopped
  }

  start(): void {
    this.startWorker()
    this.#publishLater()
  }

  startWorker(): void {
    const actor = new Actor(`${this.name}.w${++this.#workers}`)
    this.#worker = actor
    this.#stepsLeft = undefined
    this.#world.scheduler.at(0, actor, 'start', () => void this.#work(actor))
  }

  /** No more is published once all is; then the worker drains the ring and stops. */
  stopWhenAllIsPublished(): void {
    this.#isStopping = true
    this.#stopIfDone()
  }

  crashWorker(why: string): void {
    const { scheduler, random, coverage } = this.#world
    const actor = this.#worker
    if (actor === undefined || this.#hasStopped) return
    this.#worker = undefined
    this.#loop = undefined
    this.#ring = undefined
    actor.isAlive = false
    scheduler.note(`${actor.name}: ${why}`)
    for (const call of this.#world.cutClientsOf(actor)) coverage.add(why, call)
    coverage.add(why, 'in all')
    scheduler.at(random.between(1, 800), undefined, `${this.name} starts a worker`, () => this.startWorker())
  }

  /** The worker ends in the middle of one of its next steps. */
  crashWorkerWithinStep(): void {
    this.#stepsLeft ??= this.#world.random.whole(1, 24)
  }

  #publishLater(): void {
    const { scheduler, random, plan } = this.#world
    scheduler.at(random.next() * 2 * plan.publishEveryMs, this.#main, 'reading', () => {
      for (let burst = random.chance(0.2) ? random.whole(2, 8) : 1; burst > 0; burst--) this.#publish()
      if (this.#published < plan.samplesPerHub) this.#publishLater()
      else this.#stopIfDone()
    })
  }

  #publish(): void {
    const { plan, random } = this.#world
    if (this.#published >= plan.samplesPerHub) return
    const device = Math.floor(random.next() * this.#devices.length)
    const sequence = this.#publishedOf[device]
    const mark = random.chance(plan.markRate) ? random.pick(plan.marks) : 'none'
    const takenAtUs = EPOCH_MS * 1000 + this.#published
    const priority = (device % 3) as Priority
    // A full ring makes the driver wait: it comes again.
    const isIn = this.#producer.tryPublishReading(takenAtUs, [device], [MARKS.indexOf(mark)], sequence, 0, priority)
    if (!isIn) return
    this.#published++
    this.#publishedOf[device]++
    const worker = this.#worker
    const ring = this.#ring
    if (worker !== undefined) this.#world.scheduler.at(RING_WAKE_MS, worker, 'ring', () => ring?.wake())
  }

  #stopIfDone(): void {
    if (!this.#isStopping || this.#published < this.#world.plan.samplesPerHub) return
    const { scheduler } = this.#world
    if (this.#worker !== undefined) scheduler.at(0, this.#worker, 'is told to stop', () => this.#loop?.drainAndStop())
  }

  async #work(actor: Actor): Promise<void> {
    const { plan, oracle, scheduler } = this.#world
    const step = (name: string) => {
      if (actor.isAlive && this.#stepsLeft !== undefined && --this.#stepsLeft <= 0) {
        this.crashWorker(`killed at "${name}"`)
      }
      if (!actor.isAlive) throw new Killed(name)
    }
    try {
      const breaker = new CircuitBreaker({
        failuresToOpen: FAILURES_TO_OPEN,
        backoff: BACKOFF,
        nowMs: () => scheduler.nowMs,
      })
      const catalogue = new SeriesCatalogue(plan.shards, this.#series)
      const outlet = await this.#open(actor, breaker, catalogue)
      const { batchSamples: maxSamples, chunksInFlight: maxInFlight, maxAgeMs } = plan
      this.#ring = new SimulatedRing(this.#ringMemory)
      this.#loop = new DrainLoop({
        ring: this.#ring,
        journal: new SealJournal(this.#journalMemory, step),
        outlet,
        catalogue,
        breaker,
        latency,
        clock: { nowUs: () => EPOCH_MS * 1000, monotonicMs: () => scheduler.nowMs },
        capacity: plan.chunkSamples,
        maxSamples,
        maxAgeMs,
        maxInFlight,
        onStoreChange: () => {},
        onRollBack: ({ shard, samples }) => oracle.rolledBack(this.name, shard, samples),
        onStep: step,
      })
      this.#stopIfDone()
      await this.#loop.run()
      await outlet.close()
      this.#hasStopped = true
    } catch (error) {
      if (!(error instanceof Killed)) this.#world.violated(`${actor.name} ended: ${(error as Error).stack}`)
    }
  }

  async #open(actor: Actor, breaker: CircuitBreaker, catalogue: SeriesCatalogue): Promise<StreamOutlet> {
    const { plan } = this.#world
    const options = { ...plan.redis, shards: plan.shards }
    for (;;) {
      try {
        const store = await openBatchProducer(options, this.#world.clientsOf(actor))
        breaker.succeeded()
        const { batchSamples: maxSamples, chunkSamples: capacity } = plan
        return new StreamOutlet({
          store,
          catalogue,
          producer: this.name,
          epoch: 1,
          maxSamples,
          maxBytes: 8100,
          capacity,
        })
      } catch {
        breaker.failed()
        while (!breaker.mayTry()) await new Promise((resolve) => setTimeout(resolve, breaker.waitMs))
      }
    }
  }
}
