/**
 * What a handler thread is at, in shared memory: a thread that dies cannot say any more what it died of. One marker per
 * run; the thread writes, and the main thread reads once the run has ended.
 */
const ENTRY = 0
const HANDLER = 1
const WORDS = 2

/** Nothing of that kind is under way. */
const NONE = -1

/** Where a run was when it ended. */
export interface RunPlace {
  /** Index in the request's entries; `undefined` before the first and after the last. */
  entry: number | undefined
  /** Index among the users' handlers, in the order of their configuration; `undefined` outside of them. */
  userHandler: number | undefined
}

/** Cost: two stores per entry and user's handler. */
export class RunMarker {
  readonly #words: Int32Array

  constructor(memory: SharedArrayBuffer = RunMarker.create()) {
    this.#words = new Int32Array(memory)
  }

  static create(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(WORDS * Int32Array.BYTES_PER_ELEMENT)
    new Int32Array(memory).fill(NONE)
    return memory
  }

  /** @param entry index, or `undefined` when the run is about something else */
  enterEntry(entry: number | undefined): void {
    Atomics.store(this.#words, HANDLER, NONE)
    Atomics.store(this.#words, ENTRY, entry ?? NONE)
  }

  enterHandler(userHandler: number | undefined): void {
    Atomics.store(this.#words, HANDLER, userHandler ?? NONE)
  }

  /** Thread: main, after the run has ended. */
  read(): RunPlace {
    const entry = Atomics.load(this.#words, ENTRY)
    const userHandler = Atomics.load(this.#words, HANDLER)
    return {
      entry: entry === NONE ? undefined : entry,
      userHandler: userHandler === NONE ? undefined : userHandler,
    }
  }
}
