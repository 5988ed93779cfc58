/**
 * What a drain worker does with its batches while processors are pressed: `off` sends them, `holding` keeps them in the
 * spool, `easing` sends what was kept at a bounded pace, `exhausted` does that although they are pressed still, because
 * the spool must keep room for a store that is away.
 */
export const SPILL_STATES = ['off', 'holding', 'easing', 'exhausted'] as const
export type SpillState = (typeof SPILL_STATES)[number]

/** Shares of the spool at which holding ends, and below which it begins again. */
const FILL = { ends: 0.5, begins: 0.25 }
/** What was kept is sent at this many times the rate at which batches come, */
const TIMES_OFFERED = 2
/** and at least at so many bytes a second. */
const FLOOR_BYTES_PER_S = 2 ** 20
/** Most that is sent at once after a pause, bytes. */
const BURST_BYTES = 2 ** 21
/** Less than that is not worth a call, bytes. */
const CALL_BYTES = 32 * 1024

export interface SpoolView {
  /** The greater of its shares of bytes and of age that are used up, 0..1. */
  fill: number
  /** The last write went well. */
  isUsable: boolean
  batches: number
}

/**
 * Decides when batches are held back, and how fast what was held back is sent afterwards: a hub that sends all at once
 * only presses the processors again. Thread: its owner's.
 */
export class SpillValve {
  readonly #nowMs: () => number
  #state: SpillState = 'off'
  #isWanted = false
  #allowance = 0
  #filledAtMs = 0

  /** @param nowMs monotonic */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get state(): SpillState {
    return this.#state
  }

  /** Asks for batches to be held back, or not any more. Takes effect at the next {@link look}. */
  want(isWanted: boolean): void {
    this.#isWanted = isWanted
  }

  /** @returns the state from now on */
  look({ fill, isUsable, batches }: SpoolView): SpillState {
    const before = this.#state
    if (!this.#isWanted) this.#state = before === 'off' || batches === 0 ? 'off' : 'easing'
    else if (before === 'exhausted') this.#state = isUsable && fill < FILL.begins ? 'holding' : 'exhausted'
    else if (before === 'holding' && !isUsable) this.#state = 'exhausted'
    else this.#state = fill >= FILL.ends ? 'exhausted' : 'holding'
    const isPacedNow = this.#isPaced
    if (isPacedNow && (before === 'off' || before === 'holding')) {
      this.#allowance = 0
      this.#filledAtMs = this.#nowMs()
    }
    return this.#state
  }

  /** So many bytes of batches came. */
  offered(bytes: number): void {
    if (this.#isPaced) this.#add(bytes * TIMES_OFFERED)
  }

  /** Bytes of kept batches that may be sent now; infinite unless they are paced. */
  allowance(): number {
    if (this.#state === 'holding') return 0
    if (!this.#isPaced) return Number.POSITIVE_INFINITY
    const nowMs = this.#nowMs()
    this.#add(((nowMs - this.#filledAtMs) / 1000) * FLOOR_BYTES_PER_S)
    this.#filledAtMs = nowMs
    return this.#allowance >= CALL_BYTES ? this.#allowance : 0
  }

  /** So many bytes of kept batches were sent. */
  sent(bytes: number): void {
    if (this.#isPaced) this.#allowance -= bytes
  }

  /** After so long there is an allowance again; `undefined`: time alone changes nothing. */
  get waitMs(): number | undefined {
    if (!this.#isPaced) return undefined
    return Math.max(1, Math.ceil(((CALL_BYTES - this.#allowance) / FLOOR_BYTES_PER_S) * 1000))
  }

  get #isPaced(): boolean {
    return this.#state === 'easing' || this.#state === 'exhausted'
  }

  #add(bytes: number): void {
    this.#allowance = Math.min(BURST_BYTES, this.#allowance + bytes)
  }
}
