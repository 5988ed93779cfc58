import type { RingProducer } from '#core/ring/ring-producer'
import { pause } from '#core/time/pause'

/** A full ring is looked at so often, and less and less often down to this, until it has room. */
const FIRST_LOOK_MS = 1
const LAST_LOOK_MS = 8
/** Whoever waits for samples to be stored looks so often. */
const STORED_LOOK_MS = 2
/** Room worth waking for: a share of the ring, so that a waiting driver does not wake for every slot. */
const WORTHWHILE_SHARE = 8

/** One ring with those who wait for room in it. Thread: the hub's main thread. */
export class RingLane {
  readonly ring: RingProducer
  #room: Promise<void> | undefined
  #wanted = 0

  constructor(ring: RingProducer) {
    this.ring = ring
  }

  /** Whether more than half of its slots, or of its raw bytes, are in use. */
  get isCrowded(): boolean {
    const { free, capacity, freeRawBytes, rawBytes } = this.ring
    return free * 2 < capacity || freeRawBytes * 2 < rawBytes
  }

  /**
   * Resolves when the ring has room for a reading of so many samples and for some more; never at once, so that one whose
   * raw bytes do not fit does not ask without end.
   */
  room(samples: number): Promise<void> {
    const { capacity } = this.ring
    this.#wanted = Math.min(capacity, Math.max(this.#wanted, samples, capacity / WORTHWHILE_SHARE))
    this.#room ??= this.#poll()
    return this.#room
  }

  /**
   * Resolves when every sample published by now has left the ring: it is in the store, or on this machine's disk.
   *
   * @returns `false` when `signal` aborted first
   */
  async stored(signal: AbortSignal): Promise<boolean> {
    const { position } = this.ring
    // Both count modulo 2^32, and what is still in the ring is less than half of that.
    while (this.ring.backlog > (this.ring.position - position) >>> 0) {
      if (signal.aborted) return false
      await pause(STORED_LOOK_MS, signal)
    }
    return true
  }

  async #poll(): Promise<void> {
    let lookMs = FIRST_LOOK_MS
    do {
      await new Promise<void>((resolve) => setTimeout(resolve, lookMs).unref())
      lookMs = Math.min(LAST_LOOK_MS, lookMs * 2)
    } while (this.ring.free < this.#wanted)
    this.#room = undefined
    this.#wanted = 0
  }
}
