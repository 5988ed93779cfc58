import type { Clock } from '#core/time/clock'

export interface PlaybackOptions {
  speed: number | 'max'
  timestamps: 'recorded' | 'shifted'
  maxGapMs?: number
  intervalMs: number
}

/** When each reading of a recording is played, and how it is stamped. Open loop: being late does not shift the rest. */
export class PlaybackSchedule {
  readonly #options: PlaybackOptions
  readonly #clock: Clock
  readonly #originMs: number
  readonly #originUs: number
  /** Recorded time played so far, gaps capped. */
  #positionUs = 0
  #lastUs: number | undefined
  #lapFirstUs: number | undefined
  #lapLastUs = 0
  #lastGapUs = 0
  /** What `recorded` stamps of this lap are moved by. */
  #lapShiftUs = 0
  #count = 0

  constructor(options: PlaybackOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
    this.#originMs = clock.monotonicMs()
    this.#originUs = clock.nowUs()
  }

  /** Takes the next reading. @param recordedUs its instant in the recording, `undefined` without a time column */
  advance(recordedUs: number | undefined): void {
    const intervalUs = this.#options.intervalMs * 1000
    if (recordedUs === undefined) {
      if (this.#count++ > 0) this.#positionUs += intervalUs
      return
    }
    const shiftedUs = recordedUs + this.#lapShiftUs
    // A recording that jumps back plays on at once; only its stamps go back.
    if (this.#lastUs !== undefined) this.#positionUs += this.#capped(Math.max(0, shiftedUs - this.#lastUs))
    if (this.#lapFirstUs !== undefined) this.#lastGapUs = Math.max(1, recordedUs - this.#lapLastUs)
    this.#lapFirstUs ??= recordedUs
    this.#lapLastUs = recordedUs
    this.#lastUs = shiftedUs
  }

  /** The recording starts over. */
  nextLap(): void {
    if (this.#lapFirstUs === undefined) return
    const gapUs = this.#lastGapUs === 0 ? this.#options.intervalMs * 1000 : this.#lastGapUs
    this.#lapShiftUs += this.#lapLastUs - this.#lapFirstUs + gapUs
    this.#lapFirstUs = undefined
  }

  /** Milliseconds until the reading is due, 0 when it is. */
  waitMs(): number {
    if (this.#options.speed === 'max') return 0
    const dueMs = this.#originMs + this.#positionUs / this.#options.speed / 1000
    return Math.max(0, dueMs - this.#clock.monotonicMs())
  }

  /** Whether the stamp is the recording's own time, and not the clock's. */
  isRecorded(recordedUs: number | undefined): recordedUs is number {
    return this.#options.timestamps === 'recorded' && recordedUs !== undefined
  }

  /** The reading's stamp, integer microseconds since the Unix epoch. */
  takenAtUs(recordedUs: number | undefined): number {
    const { speed } = this.#options
    if (this.isRecorded(recordedUs)) return recordedUs + this.#lapShiftUs
    return speed === 'max' ? this.#clock.nowUs() : Math.round(this.#originUs + this.#positionUs / speed)
  }

  #capped(gapUs: number): number {
    const { maxGapMs } = this.#options
    return maxGapMs === undefined ? gapUs : Math.min(gapUs, maxGapMs * 1000)
  }
}
