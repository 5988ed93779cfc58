import { TelemetryError } from '#core/errors/telemetry-error'
import { unpackFindings } from '#core/protocol/packed-findings'
import type { Sink, SinkCounters } from '#src/processor/sinks/sink'
import type { SinkWrite } from '#src/processor/sinks/write-group'
import type { Actor } from '../engine/actor.js'
import type { SimulatedEvent } from '../engine/event-queue.js'
import type { World } from '../world.js'

interface QueuedWrite {
  commit: SimulatedEvent
  resolve(): void
  reject(error: Error): void
}

/** Writes waiting for their commit before {@link SimulatedSink.room} makes callers wait. */
const MAX_QUEUED = 4

/** One processor's sink thread: writes become durable one after the other, some time after they were asked for. */
export class SimulatedSink implements Sink {
  readonly failure: TelemetryError | undefined = undefined
  readonly counters: SinkCounters = { commits: 0, failedCommits: 0, queuedBytes: 0 }
  readonly #world: World
  readonly #actor: Actor
  #queue: QueuedWrite[] = []
  #lastMs = 0
  #waiting: (() => void)[] = []

  constructor(world: World, actor: Actor) {
    this.#world = world
    this.#actor = actor
  }

  write(rows: SinkWrite): Promise<void> {
    const { scheduler, random, plan } = this.#world
    const atMs = Math.max(scheduler.nowMs + random.next() * plan.sinkMs, this.#lastMs + 0.001)
    this.#lastMs = atMs
    return new Promise((resolve, reject) => {
      // The thread goes on while its process is stopped; it dies with it, see `die`.
      const commit = scheduler.at(atMs - scheduler.nowMs, undefined, 'sink commit', () => this.#commit(rows))
      this.#queue.push({ commit, resolve, reject })
    })
  }

  async room(): Promise<void> {
    while (this.#queue.length > MAX_QUEUED) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  async close(): Promise<void> {
    this.#loseAll()
  }

  /** The process is gone. Some of what waited was committed still. @param committed part of it, in [0, 1] */
  die(committed: number): void {
    const lost = this.#queue.splice(Math.round(this.#queue.length * committed))
    for (const { commit } of lost) commit.isCancelled = true
  }

  #commit(rows: SinkWrite): void {
    const { scheduler, plan, coverage, isFaulty, random, sinkTable } = this.#world
    const isLost = isFaulty && random.chance(plan.sinkLossRate)
    const isWritten = !isLost || random.chance(0.3)
    if (isWritten) for (const finding of unpackFindings(rows.findings.json)) sinkTable.put(finding)
    this.counters.commits++
    if (isLost) {
      coverage.add('sink thread dies', isWritten ? 'after a commit' : 'before a commit')
      scheduler.note('fault: the sink loses its queue')
      this.#loseAll()
      return
    }
    const write = this.#queue.shift()
    scheduler.at(random.next() * plan.latencyMs, this.#actor, 'sink reply', () => {
      write?.resolve()
      this.#wake()
    })
  }

  #loseAll(): void {
    const lost = this.#queue
    this.#queue = []
    for (const { commit } of lost) commit.isCancelled = true
    this.#world.scheduler.at(0, this.#actor, 'sink lost rows', () => {
      for (const { reject } of lost) reject(new TelemetryError('TLM_SINK_FAILED', 'The sink thread died.'))
      this.#wake()
    })
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
