/** Neighbouring items: `from..to-1`. */
export interface ItemRange {
  from: number
  to: number
}

/** Where to cut a range of two items or more; strictly inside it. */
export type Cut = (range: ItemRange) => number

/** In the middle, the left half being the smaller one: that keeps the number of tries below 2 log2(n). */
export function cutInHalf({ from, to }: ItemRange): number {
  return from + ((to - from) >> 1)
}

/** So many bad items without a good one: most likely all are bad, and each try may be dear. */
const HOPELESS = 4

interface Piece extends ItemRange {
  /** Bad for certain: the other half of a bad whole has passed. */
  isBad: boolean
  right: Piece | undefined
}

/**
 * Finds the bad items of a whole that fails, by trying halves of what fails (Yang, "Yesterday, my program worked", 1999,
 * here without the search for combinations). Each item is in exactly one try that passed, or is found bad: by a try of
 * its own, never by mere deduction. Items that fail only in company end in `good` ranges.
 *
 * One bad item among n costs at most 2 log2(n) tries. Ask {@link next}, try it, and say {@link passed} or {@link failed}.
 */
export class Bisection {
  /** Tried with success, ascending. */
  readonly good: ItemRange[] = []
  /** Ascending. */
  readonly bad: number[] = []
  tries = 0
  readonly #cut: Cut
  readonly #maxBad: number
  readonly #open: Piece[] = []
  #current: Piece | undefined

  /**
   * @param whole has failed; two items or more
   * @param maxBad with more bad items than this the search is given up: it is not the items that are bad
   */
  constructor(whole: ItemRange, maxBad: number, cut: Cut = cutInHalf) {
    this.#cut = cut
    this.#maxBad = maxBad
    this.#split(whole)
  }

  /** More than `maxBad` items are bad, or the first few one after the other: the search has ended without a result. */
  get isGivenUp(): boolean {
    return this.bad.length > this.#maxBad || (this.bad.length >= HOPELESS && this.good.length === 0)
  }

  /** What to try next; `undefined` when the search has ended. */
  next(): ItemRange | undefined {
    if (this.isGivenUp) return undefined
    for (;;) {
      const piece = this.#open.pop()
      this.#current = piece
      if (piece === undefined || !piece.isBad || piece.to - piece.from === 1) return piece
      this.#split(piece)
    }
  }

  passed(): void {
    const { from, to, right } = this.#take()
    this.good.push({ from, to })
    if (right !== undefined) right.isBad = true
  }

  failed(): void {
    const piece = this.#take()
    if (piece.to - piece.from === 1) this.bad.push(piece.from)
    else this.#split(piece)
  }

  #take(): Piece {
    const piece = this.#current
    if (piece === undefined) throw new RangeError('a verdict without a try')
    this.#current = undefined
    this.tries++
    return piece
  }

  #split({ from, to }: ItemRange): void {
    const at = this.#cut({ from, to })
    const right: Piece = { from: at, to, isBad: false, right: undefined }
    this.#open.push(right, { from, to: at, isBad: false, right })
  }
}
