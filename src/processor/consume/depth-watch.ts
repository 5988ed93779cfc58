import type { Clock } from '#core/time/clock'
import { Repeated } from '#core/time/repeated'
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

/** Age of the oldest unsettled entry, milliseconds; 0 when nothing waits. */
export function headAgeMs({ oldestStoredAtUs }: Backlog, clock: Clock): number {
  return oldestStoredAtUs === undefined ? 0 : Math.max(0, clock.nowUs() - oldestStoredAtUs) / 1000
}

/** Looks regularly at how much waits in the store. */
export class DepthWatch {
  readonly #stream: BatchStream
  readonly #holder: string
  readonly #health: StoreHealth
  readonly #looks = new Repeated(() => this.look(), INTERVAL_MS)
  #backlog: Backlog = EMPTY_BACKLOG

  constructor(stream: BatchStream, holder: string, health: StoreHealth) {
    this.#stream = stream
    this.#holder = holder
    this.#health = health
  }

  /** As of the last look. */
  get backlog(): Backlog {
    return this.#backlog
  }

  /** Resolves after the first look. */
  start(): Promise<void> {
    return this.#looks.start()
  }

  stop(): void {
    void this.#looks.stop()
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
