/** Which records of one numbering and priority are settled: all up to `floorSeq`, and those within `ranges` beyond. */
export interface SettledSet {
  floorSeq: number
  /** First and last seq of stretches, growing and apart. */
  ranges: [first: number, last: number][]
}

export const NOTHING_SETTLED: SettledSet = { floorSeq: 0, ranges: [] }

export function isSettled({ floorSeq, ranges }: SettledSet, seq: number): boolean {
  return seq <= floorSeq || ranges.some(([first, last]) => seq >= first && seq <= last)
}

/**
 * The set with `added` in it, in as few stretches as possible: two become one when no unsettled record lies between.
 *
 * @param added seqs, growing
 * @param unsettled seqs of the records that stay unsettled, as far as records are known, growing
 * @param knownSeq records beyond are not known: nothing is joined across them
 */
export function settleInto(
  set: SettledSet,
  added: readonly number[],
  unsettled: readonly number[],
  knownSeq: number,
): SettledSet {
  const stretches = [...set.ranges, ...added.map((seq): [number, number] => [seq, seq])].sort(([a], [b]) => a - b)
  const joined: [number, number][] = [[0, set.floorSeq]]
  let next = 0
  for (const [first, last] of stretches) {
    const before = joined[joined.length - 1]
    while (next < unsettled.length && unsettled[next] < before[1]) next++
    const isApart = first > knownSeq || (next < unsettled.length && unsettled[next] < first)
    if (isApart) joined.push([first, last])
    else before[1] = Math.max(before[1], last)
  }
  const [[, floorSeq], ...ranges] = joined
  return { floorSeq, ranges }
}
