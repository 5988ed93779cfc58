import { messageOf, toPortableError } from '#core/errors/telemetry-error'
import { batchId } from '#core/model/batch'
import type { CircuitBreaker } from '#core/policy/circuit-breaker'
import type { StoreError } from '#core/protocol/drain-messages'
import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'

export interface StoreLinkOptions {
  /** @throws TLM_STREAM_UNAVAILABLE, TLM_STREAM_MISCONFIGURED */
  open: () => Promise<BatchProducer>
  breaker: CircuitBreaker
  /** The store went or came. */
  onChange: () => void
}

/**
 * A store behind a circuit breaker: opened when the breaker lets it, and every failed outage counted once, however many
 * appends were under way. Thread: the drain worker's.
 */
export class StoreLink {
  readonly #options: StoreLinkOptions
  #store: BatchProducer | undefined
  #isUp = false
  #lastError: StoreError | undefined
  #calls = 0
  /** Calls up to this one failed with an outage that is counted. */
  #countedCalls = 0

  constructor(options: StoreLinkOptions) {
    this.#options = options
  }

  get isOpen(): boolean {
    return this.#store !== undefined
  }

  /** Its last answer was that it has what it was sent. */
  get isUp(): boolean {
    return this.#isUp
  }

  /** Open, and nothing speaks against sending as much as there is. */
  get isReady(): boolean {
    const { breaker } = this.#options
    return this.isOpen && breaker.state === 'closed' && breaker.waitMs === 0
  }

  get breaker(): CircuitBreaker {
    return this.#options.breaker
  }

  /** Of the newest outage. */
  get lastError(): StoreError | undefined {
    return this.#lastError
  }

  /** Opens the store; a failure is counted and kept. Call only when the breaker lets. */
  async open(): Promise<void> {
    try {
      this.#store = await this.#options.open()
      this.#options.breaker.succeeded()
      this.#setUp(true)
    } catch (error) {
      this.#lastError = toPortableError(error, 'TLM_STREAM_UNAVAILABLE')
      this.#options.breaker.failed()
      this.#setUp(false)
    }
  }

  /** As `BatchProducer.append`, and never rejects. The store must be open. */
  async append(batches: readonly SealedBatch[]): Promise<AppendOutcome[]> {
    const call = ++this.#calls
    let outcomes: AppendOutcome[]
    try {
      outcomes = await this.#store!.append(batches)
    } catch (error) {
      outcomes = batches.map(() => ({ kind: 'unavailable', message: messageOf(error) }))
    }
    const failed = outcomes.findIndex(({ kind }) => kind === 'unavailable' || kind === 'refused')
    if (failed >= 0) this.#fail(call, outcomes[failed], batches[failed])
    else if (outcomes.some(isStored)) {
      this.#options.breaker.succeeded()
      this.#setUp(true)
    }
    return outcomes
  }

  /** What was sent came to nothing, though no append failed: a gap that does not close. */
  failed(): void {
    this.#options.breaker.failed()
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }

  #fail(call: number, outcome: AppendOutcome, batch: SealedBatch): void {
    if (call <= this.#countedCalls) return
    this.#countedCalls = this.#calls
    const isRefused = outcome.kind === 'refused'
    const code = isRefused && outcome.reason === 'misconfigured' ? 'TLM_STREAM_MISCONFIGURED' : 'TLM_STREAM_UNAVAILABLE'
    const details = { reason: isRefused ? outcome.reason : 'unavailable' }
    const message = 'message' in outcome ? outcome.message : ''
    this.#lastError = { code, message, details, batchId: batchId(batch, batch.shard) }
    this.#options.breaker.failed()
    this.#setUp(false)
  }

  #setUp(isUp: boolean): void {
    if (this.#isUp === isUp && (isUp || this.#calls > 0)) return
    this.#isUp = isUp
    this.#options.onChange()
  }
}

/** The store has the batch. */
export function isStored({ kind }: AppendOutcome): boolean {
  return kind === 'stored' || kind === 'duplicate'
}
