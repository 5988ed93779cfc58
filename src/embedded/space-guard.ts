import { readdirSync, statfsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#core/time/clock'
import type { AppendOutcome } from '#core/transport/batch-stream'
import type { StoreDirectory } from './store-directory.js'

/** Kept free on the disk, so that settling, which frees the most, can always be written down. */
const RESERVE_BYTES = 64 * 2 ** 20
/** How often a full store is looked at again. */
const RECHECK_MS = 100
/** Part of the bound that may be written between two looks: the bound holds to within that, per producer. */
const CHECKS_PER_BOUND = 64

/** Refuses appends while the log is at its bound or the disk nearly full. Thread: its producer's. */
export class SpaceGuard {
  readonly #store: StoreDirectory
  readonly #clock: Clock
  readonly #reserveBytes: number
  #uncheckedBytes = Number.POSITIVE_INFINITY
  #refusal: AppendOutcome | undefined
  #checkedAtMs = 0

  constructor(store: StoreDirectory, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#reserveBytes = Math.min(RESERVE_BYTES, store.maxLogBytes / 16)
  }

  /**
   * @param bytes about to be written
   * @returns the outcome to answer with when there is no room
   * @throws errors of the file system
   */
  check(bytes: number): AppendOutcome | undefined {
    this.#uncheckedBytes += bytes
    const isDue =
      this.#refusal === undefined
        ? this.#uncheckedBytes >= this.#store.maxLogBytes / CHECKS_PER_BOUND
        : this.#clock.monotonicMs() - this.#checkedAtMs >= RECHECK_MS
    if (isDue) {
      this.#refusal = this.#look(bytes)
      this.#uncheckedBytes = 0
      this.#checkedAtMs = this.#clock.monotonicMs()
    }
    return this.#refusal
  }

  #look(bytes: number): AppendOutcome | undefined {
    const { root, directory, maxLogBytes } = this.#store
    const { bavail, bsize } = statfsSync(root)
    if (bavail * bsize < this.#reserveBytes + bytes) {
      return full(`The disk of ${directory} has less than ${this.#reserveBytes} bytes left. Fix: free space.`)
    }
    const logBytes = sizeOfTree(join(root, 'log'))
    if (logBytes + bytes <= maxLogBytes) return undefined
    const fix = 'Fix: start a processor that takes batches out, or raise the bound'
    return full(`The batches in ${directory} take ${logBytes} of ${maxLogBytes} bytes. ${fix}.`)
  }
}

function full(message: string): AppendOutcome {
  return { kind: 'refused', reason: 'full', message }
}

function sizeOfTree(folder: string): number {
  let bytes = 0
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) bytes += sizeOfTree(path)
    else bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0
  }
  return bytes
}
