import { Worker } from 'node:worker_threads'
import { fromPortableError, TelemetryError } from '#core/errors/telemetry-error'
import type { Finding } from '#core/model/finding'
import type {
  FindingQuery,
  FromSinkWorker,
  SampleQuery,
  SinkWorkerData,
  StoredBatch,
  StoredSample,
  ToSinkWorker,
} from '#core/protocol/sink-messages'
import type { SinkThreadOptions } from './sink-thread.js'

/** Queries under way; more are refused, so that a busy page cannot fill the memory. */
const MAX_QUERIES = 32

interface PendingQuery {
  resolve(rows: unknown[]): void
  reject(error: unknown): void
}

/** Reads what a sink wrote, in a thread beside the writing one: no query holds up a commit. Begun with the first query. */
export class SinkReader {
  readonly #data: SinkWorkerData
  readonly #pending = new Map<number, PendingQuery>()
  #worker: Worker | undefined
  #nextId = 1

  constructor({ moduleUrl, options }: SinkThreadOptions) {
    this.#data = { moduleUrl, options, role: 'read' }
  }

  /** @throws TLM_SINK_FAILED */
  findings(query: FindingQuery): Promise<Finding[]> {
    return this.#ask((id) => ({ kind: 'findings', id, query })) as Promise<Finding[]>
  }

  /** Newest first. @throws TLM_SINK_FAILED, TLM_BATCH_UNREADABLE */
  samples(query: SampleQuery): Promise<StoredSample[]> {
    return this.#ask((id) => ({ kind: 'samples', id, query })) as Promise<StoredSample[]>
  }

  /** The whole batch of that correlation id, if it is stored. @throws TLM_SINK_FAILED */
  stored(batch: string): Promise<StoredBatch[]> {
    return this.#ask((id) => ({ kind: 'stored', id, batch })) as Promise<StoredBatch[]>
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }

  #ask(message: (id: number) => ToSinkWorker): Promise<unknown[]> {
    if (this.#pending.size >= MAX_QUERIES) {
      const busy = `${MAX_QUERIES} queries are under way. Ask again in a moment.`
      return Promise.reject(new TelemetryError('TLM_SINK_FAILED', busy))
    }
    this.#worker ??= this.#startWorker()
    const id = this.#nextId++
    const answer = new Promise<unknown[]>((resolve, reject) => this.#pending.set(id, { resolve, reject }))
    this.#worker.postMessage(message(id))
    return answer
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL(import.meta.resolve('#workers/sink-worker')), { workerData: this.#data })
    worker.on('message', (message: FromSinkWorker) => this.#receive(message))
    worker.on('error', () => {})
    worker.on('exit', (code) => {
      this.#worker = undefined
      const error = new TelemetryError('TLM_SINK_FAILED', `The query ended with its thread (code ${code}). Ask again.`)
      for (const { reject } of this.#pending.values()) reject(error)
      this.#pending.clear()
    })
    return worker
  }

  #receive(message: FromSinkWorker): void {
    if (message.kind !== 'answer' && message.kind !== 'refused') return
    const query = this.#pending.get(message.id)
    this.#pending.delete(message.id)
    if (message.kind === 'answer') query?.resolve(message.rows)
    else query?.reject(fromPortableError(message.error))
  }
}
