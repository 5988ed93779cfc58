import { messageOf } from '#core/errors/telemetry-error'
import { type Backoff, backoffWaitMs } from '#core/policy/backoff'
import { highWaterKey, type IngestReply } from '#core/protocol/handler-messages'
import { pause } from '#core/time/pause'
import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'
import type { InboxEntry, InboxSettlement, OwnedInbox, TaskInbox } from '#core/transport/task-inbox'
import type { Logger } from '../../host/logger.js'
import type { RateLimitedLog } from '../../host/rate-limited-log.js'
import { LeaseKeeper } from '../consume/lease-keeper.js'
import { packBodies } from '../consume/pack-bodies.js'
import type { HandlerPool } from '../dispatch/handler-pool.js'
import type { StoreHealth } from '../store-health.js'

/** Tasks of one lease: what one run of `ingest` turns into batches. */
const MAX_TASKS = 512
const WAIT_MS = 1000
const RETRY: Backoff = { baseMs: 100, maxMs: 5000 }
/**
 * Name and epoch of the batches made of tasks. The same for every owner of the inbox: their numbers come from the tasks'
 * order of arrival, so a successor that makes the same batches again is recognised.
 */
const PRODUCER = 'inbox'
const EPOCH = 1
/** Longest message kept with a dead letter, in characters. */
const MAX_MESSAGE = 2000
/** Numberings remembered; forgetting costs a `gap` answer, no more. */
const MAX_NUMBERINGS = 10_000

type DeadLetter = InboxSettlement['deadLetter'][number]

export interface InboxCounters {
  tasks: number
  batches: number
  deadLettered: number
}

export interface InboxLoopParts {
  inbox: TaskInbox
  producer: BatchProducer
  pool: HandlerPool
  health: StoreHealth
  log: Logger
  warnings: RateLimitedLog
}

/**
 * Turns the tasks that anybody pushes into batches of the stream, while no other processor does.
 *
 * Tasks leave the inbox only after their batches are stored. A crash between the two leaves them for the next owner, who
 * makes the batches again: the store knows per numbering how far it is (its high water), answers `gap` or `duplicate`, and
 * `ingest` leaves out what is there already. So each task takes effect once. Thread: the processor's main thread.
 */
export class InboxLoop {
  readonly counters: InboxCounters = { tasks: 0, batches: 0, deadLettered: 0 }
  readonly #parts: InboxLoopParts
  readonly #leaseMs: number
  readonly #stopping = new AbortController()
  readonly #highWater = new Map<string, number>()
  #running: Promise<void> | undefined

  constructor(parts: InboxLoopParts, leaseMs: number) {
    this.#parts = parts
    this.#leaseMs = leaseMs
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Resolves when the tasks under way are settled and the inbox is released. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { inbox, health } = this.#parts
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      try {
        const owned = await inbox.own(this.#leaseMs)
        health.answered()
        failures = 0
        if (owned === undefined) await pause(Math.min(1000, this.#leaseMs / 3) * (0.5 + Math.random()), signal)
        else await this.#work(owned)
      } catch (error) {
        health.failed('inbox', error)
        await pause(backoffWaitMs(RETRY, ++failures, Math.random()), signal)
      }
    }
  }

  async #work(owned: OwnedInbox): Promise<void> {
    const { health, log } = this.#parts
    const lost = new AbortController()
    const keeper = new LeaseKeeper(owned, this.#leaseMs, {
      onLost: () => lost.abort(),
      onError: (error) => health.failed('inbox-renew', error),
    })
    const ended = AbortSignal.any([lost.signal, this.#stopping.signal])
    log.debug('inbox taken')
    try {
      while (!ended.aborted) {
        const entries = await owned.lease(MAX_TASKS, WAIT_MS, ended)
        health.answered()
        if (entries.length > 0) await this.#move(owned, entries, lost, ended)
      }
    } finally {
      keeper.stop()
      await owned.release()
    }
  }

  async #move(
    owned: OwnedInbox,
    entries: readonly InboxEntry[],
    lost: AbortController,
    ended: AbortSignal,
  ): Promise<void> {
    const deadLetter = await this.#ingest(entries, ended)
    if (deadLetter === undefined || lost.signal.aborted) return
    const dead = new Set(deadLetter.map(({ id }) => id))
    const ack = entries.filter(({ id }) => !dead.has(id)).map(({ id }) => id)
    const { kind } = await owned.settle({ ack, deadLetter })
    if (kind === 'fenced') return lost.abort()
    this.counters.tasks += ack.length
    this.counters.deadLettered += deadLetter.length
  }

  /**
   * Brings the entries into the stream.
   *
   * @param ended ends further attempts
   * @returns those that can never be; `undefined` when not all are stored and the attempts have ended
   */
  async #ingest(entries: readonly InboxEntry[], ended: AbortSignal): Promise<DeadLetter[] | undefined> {
    let accusations = 0
    for (let failures = 1; ; failures++) {
      try {
        const { batches, rejected } = await this.#runIngest(entries)
        if (await this.#append(batches)) {
          return rejected.map(({ id, error }) => this.#deadLetter(id, error.code, error.message))
        }
      } catch (error) {
        if (ended.aborted) return undefined
        this.#parts.warnings.warn('ingest-died', { tasks: entries.length }, messageOf(error))
        if (entries.length > 1) return this.#ingestHalves(entries, ended)
        // Once may be the end of a trouble that all runs had.
        if ((await this.#worksWithoutTasks()) && ++accusations > 1) {
          return [this.#deadLetter(entries[0].id, 'crash-loop', messageOf(error))]
        }
      }
      if (ended.aborted) return undefined
      await pause(backoffWaitMs(RETRY, failures, Math.random()), ended)
    }
  }

  /** In order of arrival, until the task that kills its run is alone. */
  async #ingestHalves(entries: readonly InboxEntry[], ended: AbortSignal): Promise<DeadLetter[] | undefined> {
    const half = Math.ceil(entries.length / 2)
    const first = await this.#ingest(entries.slice(0, half), ended)
    const second = first && (await this.#ingest(entries.slice(half), ended))
    return first && second && [...first, ...second]
  }

  /** Else it is not a task that ends the runs. */
  async #worksWithoutTasks(): Promise<boolean> {
    try {
      await this.#runIngest([])
      return true
    } catch {
      return false
    }
  }

  #runIngest(entries: readonly InboxEntry[]): Promise<IngestReply> {
    const { pool, producer } = this.#parts
    const { places, bodies } = packBodies(entries)
    return pool.ingest({
      entries: places.map((place, index) => ({ ...place, seq: entries[index].seq })),
      bodies,
      shards: producer.shards,
      producer: PRODUCER,
      epoch: EPOCH,
      highWaterSeqs: this.#highWater,
    })
  }

  /** @returns whether all are stored; else what was learnt helps the next attempt */
  async #append(batches: readonly SealedBatch[]): Promise<boolean> {
    if (batches.length === 0) return true
    const outcomes = await this.#parts.producer.append(batches)
    let areStored = true
    outcomes.forEach((outcome, index) => {
      if (!this.#learn(batches[index], outcome)) areStored = false
    })
    return areStored
  }

  #learn(batch: SealedBatch, outcome: AppendOutcome): boolean {
    const key = highWaterKey(batch.producer, batch.shard)
    switch (outcome.kind) {
      case 'stored':
        this.counters.batches++
        this.#setHighWater(key, batch.seq)
        return true
      case 'duplicate':
        this.#setHighWater(key, Math.max(batch.seq, this.#highWater.get(key) ?? 0))
        return true
      case 'gap':
        this.#setHighWater(key, outcome.highWaterSeq)
        return false
      default:
        this.#parts.health.failed(`append-${outcome.kind}`, new Error(outcome.message))
        return false
    }
  }

  #setHighWater(key: string, seq: number): void {
    if (this.#highWater.size >= MAX_NUMBERINGS && !this.#highWater.has(key)) this.#highWater.clear()
    this.#highWater.set(key, seq)
  }

  #deadLetter(id: string, reason: string, message: string): DeadLetter {
    this.#parts.warnings.warn(`task-${reason}`, { task: id, code: reason }, message)
    return { id, class: reason, message: message.slice(0, MAX_MESSAGE) }
  }
}
