import type { Priority } from '../../model/priority.js'
import { type PriorityHead, PriorityTurns } from '../../policy/priority-turns.js'
import type { LeasedEntry } from '../batch-stream.js'
import type { ReadEntry } from './stream-entry.js'

const PRIORITIES: readonly Priority[] = [0, 1, 2]

export interface LeaseLimits {
  maxEntries: number
  maxBytes: number
}

/** Entries that were read and not handed out yet, in order within each priority; between them `PriorityTurns` decides. */
export class CarriedEntries {
  readonly #queues: ReadEntry[][] = [[], [], []]
  readonly #lastHandedOut = ['0-0', '0-0', '0-0']
  readonly #turns = new PriorityTurns()
  readonly #nowMs: () => number

  /** @param nowMs wall time */
  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
  }

  get isEmpty(): boolean {
    return this.#queues.every((queue) => queue.length === 0)
  }

  /** Redis id of the last entry handed out, by priority; `0-0` before the first. */
  get lastHandedOut(): readonly string[] {
    return this.#lastHandedOut
  }

  push(entry: ReadEntry): void {
    this.#queues[entry.priority].push(entry)
  }

  clear(): void {
    for (const queue of this.#queues) queue.length = 0
  }

  /** Priorities of which a newer entry might come out with the next `maxEntries`: those with fewer waiting. */
  wanted(maxEntries: number): Priority[] {
    return PRIORITIES.filter((priority) => this.#queues[priority].length < maxEntries)
  }

  /** Hands out entries within the limits; at least one if there is any, however large. */
  take({ maxEntries, maxBytes }: LeaseLimits): ReadEntry[] {
    const taken: ReadEntry[] = []
    const counts = [0, 0, 0]
    const heads = this.#queues.map(([first]) => first && headOf(first))
    const nowMs = this.#nowMs()
    let bytes = 0
    while (taken.length < maxEntries) {
      const priority = this.#turns.next(heads, nowMs)
      const head = priority === undefined ? undefined : heads[priority]
      if (priority === undefined || head === undefined) break
      bytes += head.bytes
      if (taken.length > 0 && bytes > maxBytes) break
      const queue = this.#queues[priority]
      const entry = queue[counts[priority]++]
      taken.push(entry)
      this.#lastHandedOut[priority] = entry.streamId
      this.#turns.taken(priority)
      const next = queue[counts[priority]]
      heads[priority] = next && headOf(next)
    }
    for (const [priority, count] of counts.entries()) this.#queues[priority].splice(0, count)
    return taken
  }
}

function headOf({ streamId, entry }: ReadEntry): PriorityHead {
  return { bytes: entry.body.byteLength, storedAtMs: Number.parseInt(streamId, 10) }
}

/** What an owner remembers of an entry that it was given and has not settled. */
export interface UnsettledEntry {
  priority: Priority
  streamId: string
  samples: number
  bytes: number
  attempts: number
  deliveryCount: number
  /** The delivery is in the store's own count already: the group that it went through was replaced. */
  isCounted: boolean
}

export function unsettledEntry({ priority, streamId, entry }: ReadEntry): UnsettledEntry {
  const { samples, body, attempts, deliveryCount }: LeasedEntry = entry
  return { priority, streamId, samples, bytes: body.byteLength, attempts, deliveryCount, isCounted: false }
}
