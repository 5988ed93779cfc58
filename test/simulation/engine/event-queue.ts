import type { Actor } from './actor.js'

/** Something that happens at a time, to an actor or to the world outside of all. */
export interface SimulatedEvent {
  atMs: number
  /** Events of one time happen in this order. */
  order: number
  readonly actor: Actor | undefined
  readonly label: string
  readonly run: () => void
  isCancelled: boolean
}

/** Events by time: a binary heap. Cancelled ones stay until their time comes. */
export class EventQueue {
  readonly #heap: SimulatedEvent[] = []

  get size(): number {
    return this.#heap.length
  }

  push(event: SimulatedEvent): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, heap[parent])) break
      heap[at] = heap[parent]
      at = parent
    }
    heap[at] = event
  }

  /** Takes out the earliest. */
  pop(): SimulatedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || last === first) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++
      if (!isBefore(heap[child], last)) break
      heap[at] = heap[child]
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(left: SimulatedEvent, right: SimulatedEvent): boolean {
  return left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order)
}
