import type { Priority } from '../../model/priority.js'
import type { LeasedEntry } from '../batch-stream.js'
import type { ReadEntry } from './stream-entry.js'

const PRIORITIES: readonly Priority[] = [0, 1, 2]

export interface LeaseLimits {
  maxEntries: number
  maxBytes: number
}

/** Entries that were read and not handed out yet, high priority first, in order within each. */
export class CarriedEntries {
  readonly #queues: ReadEntry[][] = [[], [], []]
  readonly #lastHandedOut = ['0-0', '0-0', '0-0']

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

  /** Priorities of which a newer entry would still come out with the next `maxEntries`. */
  wanted(maxEntries: number): Priority[] {
    let before = 0
    return PRIORITIES.filter((priority) => {
      before += this.#queues[priority].length
      return before < maxEntries
    })
  }

  /** Hands out entries within the limits; at least one if there is any, however large. */
  take({ maxEntries, maxBytes }: LeaseLimits): ReadEntry[] {
    const taken: ReadEntry[] = []
    let bytes = 0
    for (const queue of this.#queues) {
      let count = 0
      for (; count < queue.length && taken.length < maxEntries; count++) {
        bytes += queue[count].entry.body.byteLength
        if (taken.length > 0 && bytes > maxBytes) break
        taken.push(queue[count])
      }
      if (count > 0) this.#lastHandedOut[queue[0].priority] = queue[count - 1].streamId
      queue.splice(0, count)
      if (queue.length > 0) break
    }
    return taken
  }
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
