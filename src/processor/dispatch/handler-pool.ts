import { Piscina } from 'piscina'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import type { DeadLetterClass } from '#core/model/dead-letter'
import type {
  HandlerRequest,
  HandlerWorkerData,
  IngestReply,
  IngestRequest,
  PackedReply,
} from '#core/protocol/handler-messages'
import { RunMarker } from '#core/protocol/run-marker'
import type { Clock } from '#core/time/clock'
import type { Logger } from '../../host/logger.js'
import { TurnQueue } from './turn-queue.js'

/** However small the part of a run: below this the machine is measured, and not the handler. */
const LEAST_DEADLINE_MS = 5000
/** Deadlines that a new thread may take to start: that time is the machine's, not the run's. */
const MAX_STARTS = 4

/** How a run is treated. */
export interface RunTurn {
  /** The part of the deadline that it gets, in (0, 1], but not below 5 s; default all. */
  deadlineShare?: number
  /** It goes before those that are not, mostly: see `TurnQueue`. */
  isUrgent?: boolean
  /** Called when it has got its thread: until then it has only waited. Does not throw. */
  onStart?(): void
}

/** Runs handlers in threads. Thread: the processor's main thread. */
export interface HandlerPool {
  /**
   * Runs entries of one shard; `request.bodies` is transferred. The caller has one run per shard under way at most.
   *
   * @throws TLM_HANDLER_FAILED the run did not end by itself: its thread died or took too long. The state it worked on
   *   may be half changed. `details`, unless it was this program that ended it: `class`, a `DeadLetterClass`; `entry`, the
   *   index of the entry it was at, and `handler`, the type of the user's handler at work, where the thread got so far.
   */
  run(request: HandlerRequest, turn?: RunTurn): Promise<PackedReply>
  /** Turns pushed tasks into batches; `request.bodies` is transferred. @throws TLM_HANDLER_FAILED as {@link run} */
  ingest(request: IngestRequest): Promise<IngestReply>
}

export interface ThreadPoolOptions {
  threads: number
  /** Old generation of one thread's heap; a run that needs more ends its thread, not the process. */
  maxHeapBytes: number
  /** A run that takes longer is ended with its thread. */
  runDeadlineMs: number
  workerData: HandlerWorkerData
}

export interface PoolCounters {
  runs: number
  /** Runs that threw or ended with their thread: out of memory, an exit, an uncaught error. */
  deaths: number
  /** Of those, the ones for want of heap. */
  outOfMemory: number
  /** Runs ended because they took too long. */
  overdue: number
}

interface Waiting {
  start(): void
  refuse(error: TelemetryError): void
}

/**
 * Handler threads behind Piscina. Runs wait here and not in Piscina, so that the time a run has to wait for a thread does
 * not count against its deadline.
 */
export class ThreadPool implements HandlerPool {
  readonly counters: PoolCounters = { runs: 0, deaths: 0, outOfMemory: 0, overdue: 0 }
  readonly #piscina: Piscina
  readonly #options: ThreadPoolOptions
  readonly #clock: Clock
  readonly #onRun: (durationMs: number) => void
  /** Types of the users' handlers, in the order that a run's marker counts them in. */
  readonly #userHandlers: readonly string[]
  readonly #active = new Set<AbortController>()
  readonly #waiting = new TurnQueue<Waiting>()
  /** Threads given out, also to those who are only about to use theirs. */
  #busy = 0
  #isClosed = false

  /** @param onRun told how long each run took in its thread */
  constructor(options: ThreadPoolOptions, clock: Clock, log: Logger, onRun: (durationMs: number) => void = () => {}) {
    this.#options = options
    this.#clock = clock
    this.#onRun = onRun
    const users = options.workerData.handlers.filter(({ moduleUrl }) => moduleUrl !== undefined)
    this.#userHandlers = users.map(({ type }) => type)
    this.#piscina = new Piscina({
      filename: new URL(import.meta.resolve('#workers/handler-worker')).href,
      minThreads: options.threads,
      maxThreads: options.threads,
      resourceLimits: { maxOldGenerationSizeMb: Math.max(16, Math.round(options.maxHeapBytes / 2 ** 20)) },
      workerData: options.workerData,
      recordTiming: false,
    })
    this.#piscina.on('error', (error: unknown) => {
      log.error({ err: error }, 'a handler thread failed outside of a run')
      // Threads that cannot even start leave the runs that wait for them with nobody to wait for.
      if (this.#piscina.threads.length === 0) this.#abortAll(`no handler thread can start: ${messageOf(error)}`)
    })
  }

  get threads(): number {
    return this.#piscina.threads.length
  }

  run(request: HandlerRequest, turn: RunTurn = {}): Promise<PackedReply> {
    const { deadlineShare = 1 } = turn
    const marker = RunMarker.create()
    const { runDeadlineMs } = this.#options
    const deadlineMs = Math.max(Math.min(LEAST_DEADLINE_MS, runDeadlineMs), runDeadlineMs * deadlineShare)
    return this.#dispatch('run', { ...request, marker }, request.bodies, deadlineMs, turn, new RunMarker(marker))
  }

  ingest(request: IngestRequest): Promise<IngestReply> {
    return this.#dispatch('ingest', request, request.bodies, this.#options.runDeadlineMs, {})
  }

  /**
   * Loads the handlers in a thread, so that what is wrong with them is known before the first batch.
   *
   * @throws TLM_OPTIONS_INVALID a user's handler cannot be loaded
   */
  async check(): Promise<void> {
    try {
      await this.run({ shard: 0, entries: [], bodies: new Uint8Array(0), rows: new Map(), checkpoint: false })
    } catch (error) {
      const message = messageOf(error)
      // Only the text of an error comes through from a thread.
      if (message.includes('TLM_OPTIONS_INVALID')) throw new TelemetryError('TLM_OPTIONS_INVALID', message, {}, error)
    }
  }

  /** Ends all threads; runs under way are rejected. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { refuse } of this.#waiting.clear()) refuse(poolClosed())
    this.#abortAll('the processor stops')
    await this.#piscina.destroy()
  }

  async #dispatch<Reply>(
    name: 'run' | 'ingest',
    request: unknown,
    bodies: Uint8Array,
    deadlineMs: number,
    { isUrgent = false, onStart }: RunTurn,
    marker?: RunMarker,
  ): Promise<Reply> {
    await this.#turn(isUrgent)
    // Closed between the two: nobody would end it.
    if (this.#isClosed) throw poolClosed()
    onStart?.()
    const abort = new AbortController()
    let starts = 0
    const look = () => {
      const leftMs = marker?.leftMs(deadlineMs) ?? (marker !== undefined && ++starts < MAX_STARTS ? deadlineMs : 0)
      if (leftMs > 0) deadline = setTimeout(look, leftMs)
      else abort.abort('overdue')
    }
    let deadline = setTimeout(look, deadlineMs)
    this.#active.add(abort)
    const startedMs = this.#clock.monotonicMs()
    try {
      const transferList = bodies.byteLength > 0 ? [bodies.buffer as ArrayBuffer] : []
      const reply = (await this.#piscina.run(request, { name, transferList, signal: abort.signal })) as Reply
      this.counters.runs++
      return reply
    } catch (error) {
      throw this.#failure(error, abort.signal, deadlineMs, this.#placeOf(marker))
    } finally {
      clearTimeout(deadline)
      this.#active.delete(abort)
      this.#onRun(this.#clock.monotonicMs() - startedMs)
      const next = this.#waiting.shift()
      if (next === undefined) this.#busy--
      else next.start()
    }
  }

  /** Resolves at once while a thread is free. */
  #turn(isUrgent: boolean): Promise<void> | undefined {
    if (this.#isClosed) return Promise.reject(poolClosed())
    if (this.#busy < this.#options.threads) {
      this.#busy++
      return undefined
    }
    return new Promise((start, refuse) => this.#waiting.push({ start, refuse }, isUrgent))
  }

  #failure(error: unknown, signal: AbortSignal, deadlineMs: number, place: Record<string, unknown>): TelemetryError {
    const failed = (kind: DeadLetterClass, message: string, cause?: unknown) =>
      new TelemetryError('TLM_HANDLER_FAILED', message, { ...place, class: kind }, cause)
    if (!signal.aborted) {
      this.counters.deaths++
      const isOutOfMemory = (error as { code?: unknown } | null)?.code === 'ERR_WORKER_OUT_OF_MEMORY'
      if (isOutOfMemory) this.counters.outOfMemory++
      return failed(isOutOfMemory ? 'oom' : 'crash-loop', `The run ended with its thread: ${messageOf(error)}`, error)
    }
    // By this program: what was at work has nothing to do with it.
    if (signal.reason !== 'overdue') {
      return new TelemetryError('TLM_HANDLER_FAILED', `The run was ended: ${signal.reason}`)
    }
    this.counters.overdue++
    return failed('timeout', `The run took longer than ${Math.round(deadlineMs)} ms and was ended.`)
  }

  #placeOf(marker: RunMarker | undefined): Record<string, unknown> {
    if (marker === undefined) return {}
    const { entry, userHandler } = marker.read()
    return { entry, handler: userHandler === undefined ? undefined : this.#userHandlers[userHandler] }
  }

  #abortAll(reason: string): void {
    for (const abort of this.#active) abort.abort(reason)
  }
}

function poolClosed(): TelemetryError {
  return new TelemetryError('TLM_HANDLER_FAILED', 'The run was not begun: the processor stops.')
}
