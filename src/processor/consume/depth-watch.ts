import type { BatchStream, ShardDepth } from '#core/transport/batch-stream'
import type { StoreHealth } from '../store-health.js'

const INTERVAL_MS = 500

export interface Backlog {
  entries: number
  samples: number
  bytes: number
  deadLetters: number
  delayed: number
  /** Wall time at which the oldest unsettled entry was stored, microseconds. */
  oldestStoredAtUs: number | undefined
  /** Entries in shards of this holder or of nobody that may be leased now. */
  waiting: number
}

export const EMPTY_BACKLOG: Backlog = {
  entries: 0,
  samples: 0,
  bytes: 0,
  deadLetters: 0,
  delayed: 0,
  oldestStoredAtUs: undefined,
  waiting: 0,
}

/** Looks regularly at how much waits in the store. */
export class DepthWatch {
  readonly #stream: BatchStream
  readonly #holder: string
  readonly #health: StoreHealth
  #backlog: Backlog = EMPTY_BACKLOG
  #timer: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(stream: BatchStream, holder: string, health: StoreHealth) {
    this.#stream = stream
    this.#holder = holder
    this.#health = health
  }

  /** As of the last look. */
  get backlog(): Backlog {
    return this.#backlog
  }

  async start(): Promise<void> {
    await this.look()
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.start(), INTERVAL_MS)
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** Never throws: what is not known stays as it was. */
  async look(): Promise<void> {
    try {
      this.#backlog = sumOf(await this.#stream.depths(), this.#holder)
      this.#health.answered()
    } catch (error) {
      this.#health.failed('depths', error)
    }
  }
}

function sumOf(depths: readonly ShardDepth[], holder: string): Backlog {
  const sum = { ...EMPTY_BACKLOG }
  for (const { entries, samples, bytes, deadLetters, delayed, oldestStoredAtUs, owner } of depths) {
    sum.entries += entries
    sum.samples += samples
    sum.bytes += bytes
    sum.deadLetters += deadLetters
    sum.delayed += delayed
    if (owner === undefined || owner === holder) sum.waiting += Math.max(0, entries - delayed)
    if (oldestStoredAtUs !== undefined) {
      sum.oldestStoredAtUs = Math.min(oldestStoredAtUs, sum.oldestStoredAtUs ?? oldestStoredAtUs)
    }
  }
  return sum
}
