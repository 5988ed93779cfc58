/**
 * The wall mapping in shared memory: the hub's main thread writes it, drain workers read it when they seal.
 *
 * ```text
 *   0  version u32, odd while it is written | knots u32 | held u32 (1: nothing is to be sealed) | unused
 *  16  knots: atUs f64, offsetUs f64, MAX_KNOTS times
 * ```
 * Order W1: every word is stored and loaded by `Atomics`, so all of them are in one order; a reader that finds the same
 * even version before and after has read one whole mapping.
 */
import { EARLIEST_WALL_US, hubTimeUs, isHubTime } from './hub-time.js'
import { MAX_KNOTS, offsetAt, type WallKnot } from './wall-mapping.js'

const VERSION = 0
const COUNT = 1
const HELD = 2
const FIRST = 4
const WORDS_PER_KNOT = 4
const BYTES = 4 * (FIRST + WORDS_PER_KNOT * MAX_KNOTS)

export function createWallMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES)
}

/** Thread: the hub's main thread; one writer. */
export class WallWriter {
  readonly #words: Int32Array
  readonly #floats = new Float64Array(2 * MAX_KNOTS)
  readonly #floatWords = new Int32Array(this.#floats.buffer)

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory)
  }

  /** @param knots at least one, at most `MAX_KNOTS` */
  write(knots: readonly WallKnot[]): void {
    const words = this.#words
    knots.forEach(({ atUs, offsetUs }, index) => {
      this.#floats[2 * index] = atUs
      this.#floats[2 * index + 1] = offsetUs
    })
    // ORDER W1, here and below: pairs with the loads in WallReader.load.
    Atomics.add(words, VERSION, 1)
    Atomics.store(words, COUNT, knots.length)
    for (let word = 0; word < knots.length * WORDS_PER_KNOT; word++) {
      Atomics.store(words, FIRST + word, this.#floatWords[word])
    }
    Atomics.add(words, VERSION, 1)
  }

  /** Whether sealing waits for the clock to be known. */
  set isHeld(isHeld: boolean) {
    Atomics.store(this.#words, HELD, Number(isHeld))
  }
}

/** Thread: any; each has its own. */
export class WallReader {
  readonly #words: Int32Array
  readonly #hubTime: () => number
  readonly #floats = new Float64Array(2 * MAX_KNOTS)
  readonly #floatWords = new Int32Array(this.#floats.buffer)
  #version = 0
  #knots: WallKnot[] = []

  constructor(memory: SharedArrayBuffer, hubTime: () => number = hubTimeUs) {
    this.#words = new Int32Array(memory)
    this.#hubTime = hubTime
  }

  get isHeld(): boolean {
    return Atomics.load(this.#words, HELD) === 1
  }

  /** Takes over the mapping as it is now. Cost: one load of a shared word when it is the same as before. */
  load(): void {
    const words = this.#words
    for (;;) {
      // ORDER W1, here and below: pairs with the stores in WallWriter.write.
      const version = Atomics.load(words, VERSION)
      if (version === this.#version) return
      if (version % 2 !== 0) continue
      const count = Atomics.load(words, COUNT)
      for (let word = 0; word < count * WORDS_PER_KNOT; word++) {
        this.#floatWords[word] = Atomics.load(words, FIRST + word)
      }
      if (Atomics.load(words, VERSION) !== version) continue
      this.#version = version
      this.#knots = Array.from({ length: count }, (_, index) => ({
        atUs: this.#floats[2 * index],
        offsetUs: this.#floats[2 * index + 1],
      }))
      return
    }
  }

  /**
   * Wall time of an instant of the hub, as {@link load} found it; integer microseconds, never below 1990, so that it
   * cannot be taken for hub time again. Hub time itself while nothing was ever written.
   */
  toWall(hubUs: number): number {
    if (this.#knots.length === 0) return hubUs
    return Math.max(EARLIEST_WALL_US, Math.round(hubUs + offsetAt(this.#knots, hubUs)))
  }

  /**
   * Turns those of the first `count` stamps that are hub time into wall time, as {@link toWall} does one.
   *
   * @returns what was added to each of them, for {@link shiftHubTime} to do the same again; `undefined` when that was not
   *   one number, as a slew or a sleep lies between
   */
  stamp(stamps: Float64Array, count: number): number | undefined {
    if (this.#knots.length === 1) {
      const [{ offsetUs }] = this.#knots
      shiftHubTime(stamps, count, offsetUs)
      return offsetUs
    }
    for (let row = 0; row < count; row++) if (isHubTime(stamps[row])) stamps[row] = this.toWall(stamps[row])
    return undefined
  }

  nowUs(): number {
    this.load()
    return this.toWall(this.#hubTime())
  }
}

/** Adds to those of the first `count` stamps that are hub time. Cost: a compare and a sum each. */
export function shiftHubTime(stamps: Float64Array, count: number, offsetUs: number): void {
  for (let row = 0; row < count; row++) {
    const stampUs = stamps[row]
    if (stampUs < EARLIEST_WALL_US) stamps[row] = Math.max(EARLIEST_WALL_US, stampUs + offsetUs)
  }
}
