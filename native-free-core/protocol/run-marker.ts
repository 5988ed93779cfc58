/**
 * What a handler thread is at, in shared memory: a thread that dies cannot say any more what it died of. One marker per
 * run; the thread writes, and the main thread reads once the run has ended.
 */
const ENTRY = 0
const HANDLER = 1
const BEGUN = 2
const WORDS = 4
/** Behind the words, in bytes: when the run began. */
const BEGUN_AT = WORDS * Int32Array.BYTES_PER_ELEMENT
const BYTES = BEGUN_AT + Float64Array.BYTES_PER_ELEMENT

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
  readonly #begunMs: Float64Array

  constructor(memory: SharedArrayBuffer = RunMarker.create()) {
    this.#words = new Int32Array(memory, 0, WORDS)
    this.#begunMs = new Float64Array(memory, BEGUN_AT, 1)
  }

  static create(): SharedArrayBuffer {
    const memory = new SharedArrayBuffer(BYTES)
    new Int32Array(memory, 0, WORDS).fill(NONE)
    return memory
  }

  /** Thread: the run's, when it begins with it. */
  begin(): void {
    this.#begunMs[0] = processMs()
    Atomics.store(this.#words, BEGUN, 1)
  }

  /** What is left of the time for the run, from when it began; `undefined` before that. Thread: main. */
  leftMs(deadlineMs: number): number | undefined {
    if (Atomics.load(this.#words, BEGUN) === NONE) return undefined
    return this.#begunMs[0] + deadlineMs - processMs()
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

/** Milliseconds by a clock that all threads of the process share; `performance.now` begins anew in each. */
function processMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
