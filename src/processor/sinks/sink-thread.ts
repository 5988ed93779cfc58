import { type TransferListItem, Worker } from 'node:worker_threads'
import { fromPortableError, messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { type Backoff, backoffWaitMs } from '#core/policy/backoff'
import type { FromSinkWorker, SinkWorkerData, ToSinkWorker } from '#core/protocol/sink-messages'
import type { Logger } from '../../host/logger.js'
import type { Sink, SinkCounters } from './sink.js'
import { type QueuedWrite, type SinkWrite, sizeOf } from './write-group.js'

/** Above this, {@link SinkThread.room} waits. */
const MAX_QUEUED_BYTES = 2 ** 25
/** Most bytes of one commit: bounds how long the writes behind it wait. */
const MAX_COMMIT_BYTES = 2 ** 23
const RETRY: Backoff = { baseMs: 100, maxMs: 5000 }

export interface SinkThreadOptions {
  /** `file:` URL of the module that knows the sink, see `SinkModule`. */
  moduleUrl: string
  /** Options of that module. */
  options: unknown
}

/**
 * A sink in a thread of its own, with group commit: writes that come while a commit is under way are the next commit,
 * however many. Alone, a write is committed at once.
 */
export class SinkThread implements Sink {
  readonly #data: SinkWorkerData
  readonly #log: Logger
  readonly #counters: SinkCounters = { commits: 0, failedCommits: 0, queuedBytes: 0 }
  readonly #queue: QueuedWrite[] = []
  readonly #roomWaiters: (() => void)[] = []
  #worker: Worker
  /** Resolves when the present thread has ended. */
  #ended: Promise<unknown> = Promise.resolve()
  /** Writes of the commit under way; `undefined` when the thread is idle. */
  #committing: QueuedWrite[] | undefined
  #failures = 0
  #failure: TelemetryError | undefined
  #retryTimer: NodeJS.Timeout | undefined
  #onIdle = () => {}
  #isClosed = false

  constructor({ moduleUrl, options }: SinkThreadOptions, log: Logger) {
    this.#data = { moduleUrl, options, role: 'write' }
    this.#log = log
    this.#worker = this.#startWorker()
    // Nothing to write yet, but a sink that cannot be opened should be known before the first finding.
    this.#commit([])
  }

  get failure(): TelemetryError | undefined {
    return this.#failure
  }

  get counters(): SinkCounters {
    return this.#counters
  }

  write(rows: SinkWrite): Promise<void> {
    if (this.#isClosed) return Promise.reject(closedError())
    const isEmpty = rows.findings.count === 0 && rows.chunks.length === 0
    if (isEmpty && this.#queue.length === 0 && this.#committing === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const bytes = sizeOf(rows)
      this.#counters.queuedBytes += bytes
      this.#queue.push({ ...rows, bytes, resolve, reject })
      this.#commitNext()
    })
  }

  room(): Promise<void> {
    if (this.#counters.queuedBytes < MAX_QUEUED_BYTES || this.#isClosed) return Promise.resolve()
    return new Promise((resolve) => this.#roomWaiters.push(resolve))
  }

  async close(deadlineMs: number): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const idle = new Promise<void>((resolve) => {
      this.#onIdle = resolve
      if (this.#committing === undefined) resolve()
    })
    const timer = setTimeout(() => this.#onIdle(), deadlineMs)
    await idle
    this.#abandon()
    this.#post({ kind: 'close' })
    const kill = setTimeout(() => void this.#worker.terminate(), Math.max(100, deadlineMs / 2))
    await this.#ended
    clearTimeout(kill)
    clearTimeout(timer)
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL(import.meta.resolve('#workers/sink-worker')), { workerData: this.#data })
    worker.on('message', (message: FromSinkWorker) => this.#receive(message))
    worker.on('error', (error) => this.#log.error({ err: error }, 'sink thread failed'))
    worker.on('exit', (code) => this.#workerEnded(code))
    this.#ended = new Promise((resolve) => worker.once('exit', resolve))
    return worker
  }

  #receive(message: FromSinkWorker): void {
    if (message.kind === 'committed') this.#committed()
    else if (message.kind === 'commit-failed') this.#commitFailed(fromPortableError(message.error))
  }

  #committed(): void {
    const writes = this.#committing ?? []
    this.#committing = undefined
    this.#counters.commits++
    this.#failures = 0
    if (this.#failure !== undefined) this.#log.info('sink works again')
    this.#failure = undefined
    // The next commit is on its way before those who wait for this one are told.
    this.#commitNext()
    for (const { bytes, resolve } of writes) {
      this.#counters.queuedBytes -= bytes
      resolve()
    }
    this.#giveRoom()
    if (this.#committing === undefined) this.#onIdle()
  }

  /** The thread keeps the rows: it is asked to try again, so nothing behind them can overtake them. */
  #commitFailed(error: TelemetryError): void {
    this.#counters.failedCommits++
    this.#failure = error
    const waitMs = backoffWaitMs(RETRY, ++this.#failures, Math.random())
    if (this.#failures === 1) this.#log.error({ code: error.code, details: error.details, waitMs }, error.message)
    this.#retryTimer = setTimeout(() => this.#post({ kind: 'commit-again' }), waitMs)
  }

  #commitNext(): void {
    if (this.#committing !== undefined || this.#queue.length === 0) return
    let count = 0
    for (let bytes = 0; count < this.#queue.length && bytes < MAX_COMMIT_BYTES; count++)
      bytes += this.#queue[count].bytes
    this.#commit(this.#queue.splice(0, count))
  }

  #commit(writes: QueuedWrite[]): void {
    this.#committing = writes
    const findings = writes.filter((write) => write.findings.count > 0).map((write) => write.findings.json)
    const chunks = writes.flatMap((write) => write.chunks)
    const bytes = [...findings, ...chunks.map(({ body }) => body)]
    try {
      this.#post(
        { kind: 'commit', findings, chunks },
        bytes.map(({ buffer }) => buffer as ArrayBuffer),
      )
    } catch (error) {
      // Bytes that cannot be transferred: these writes fail, the sink goes on.
      this.#committing = undefined
      this.#reject(writes, new TelemetryError('TLM_SINK_FAILED', `Cannot write: ${messageOf(error)}`, {}, error))
      this.#commitNext()
    }
  }

  #workerEnded(code: number): void {
    if (this.#isClosed) return
    clearTimeout(this.#retryTimer)
    const message = `The sink thread ended with code ${code}: its rows have to be made again.`
    this.#failure = new TelemetryError('TLM_SINK_FAILED', message, { code })
    this.#counters.failedCommits++
    const lost = this.#committing ?? []
    this.#committing = []
    this.#reject(lost, this.#failure)
    const waitMs = backoffWaitMs(RETRY, ++this.#failures, Math.random())
    this.#retryTimer = setTimeout(() => {
      this.#worker = this.#startWorker()
      this.#commit([])
    }, waitMs)
  }

  #abandon(): void {
    clearTimeout(this.#retryTimer)
    const left = [...(this.#committing ?? []), ...this.#queue.splice(0)]
    this.#committing = undefined
    this.#reject(left, closedError())
    this.#giveRoom()
  }

  #reject(writes: readonly QueuedWrite[], error: TelemetryError): void {
    for (const { bytes, reject } of writes) {
      this.#counters.queuedBytes -= bytes
      reject(error)
    }
    this.#giveRoom()
  }

  #giveRoom(): void {
    if (this.#counters.queuedBytes >= MAX_QUEUED_BYTES && !this.#isClosed) return
    for (const resolve of this.#roomWaiters.splice(0)) resolve()
  }

  #post(message: ToSinkWorker, transfer: TransferListItem[] = []): void {
    this.#worker.postMessage(message, transfer)
  }
}

function closedError(): TelemetryError {
  return new TelemetryError('TLM_SINK_FAILED', 'The sink is closed: the rows are made again after the next start.')
}
