import { type FSWatcher, watch } from 'node:fs'

/** How long a wait goes on unseen: what is watched, and what is not (no watches left, or a file system without). */
const WATCHED_MS = 1000
const UNWATCHED_MS = 20

/**
 * Tells waiting leases that something came to a folder, from any process: the kernel's file watches cost nothing while
 * nothing happens and tell within a fraction of a millisecond. Thread: its owner's.
 */
export class Arrivals {
  readonly #waiting = new Set<() => void>()
  #watcher: FSWatcher | undefined
  #rings = 0

  constructor(folder: string) {
    try {
      this.#watcher = watch(folder, { persistent: false }, () => this.ring())
      this.#watcher.on('error', () => this.#stopWatching())
    } catch {
      this.#watcher = undefined
    }
  }

  /** Number of rings so far: read it before looking for entries. */
  get rings(): number {
    return this.#rings
  }

  /** Wakes all that wait. */
  ring(): void {
    this.#rings++
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves at the first ring after `seen`, when `mostMs` are over, or on abort; sooner now and then. */
  wait(seen: number, mostMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (seen !== this.#rings || signal?.aborted) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      const atMostMs = this.#watcher === undefined ? UNWATCHED_MS : WATCHED_MS
      const timer = setTimeout(wake, Math.min(mostMs, atMostMs))
      signal?.addEventListener('abort', wake)
      this.#waiting.add(wake)
    })
  }

  close(): void {
    this.#stopWatching()
    this.ring()
  }

  #stopWatching(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
