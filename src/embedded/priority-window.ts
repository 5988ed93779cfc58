import type { RecordHeader } from './segment-format.js'
import { isSettled, NOTHING_SETTLED, type SettledSet, settleInto } from './settled-set.js'

/** A segment as its reader keeps track of it. */
export interface ReadSegment {
  readonly index: number
  /** Records in it that are known and not settled. */
  unsettled: number
  /** Every record of it that counts is known. */
  isRead: boolean
}

/** A record that a reader knows of. */
export interface RecordRef {
  readonly record: RecordHeader
  readonly segment: ReadSegment
  /** Of the record's header within the segment, bytes. */
  readonly offset: number
}

/** The known, unsettled records of one numbering and priority in order: first those leased, then those waiting. */
export class PriorityWindow {
  #settled: SettledSet
  #refs: RecordRef[] = []
  /** Index of the first ref that is not leased. */
  #waitingFrom = 0

  constructor(settled: SettledSet = NOTHING_SETTLED) {
    this.#settled = settled
  }

  get settled(): SettledSet {
    return this.#settled
  }

  get waiting(): number {
    return this.#refs.length - this.#waitingFrom
  }

  /** The next to lease. */
  get head(): RecordRef | undefined {
    return this.#refs[this.#waitingFrom]
  }

  get oldest(): RecordRef | undefined {
    return this.#refs[0]
  }

  /** Adds a record that lies behind all others; not when it is settled. */
  add(ref: RecordRef): void {
    if (isSettled(this.#settled, ref.record.seq)) return
    this.#refs.push(ref)
    ref.segment.unsettled++
  }

  /** Leases the head. */
  take(): void {
    this.#waitingFrom++
  }

  /** The last `count` that were leased wait again. */
  giveBack(count: number): void {
    this.#waitingFrom -= count
  }

  /** Forgets the waiting records from `seq` on. */
  forgetFrom(seq: number): void {
    const first = this.#refs.findIndex((ref, i) => i >= this.#waitingFrom && ref.record.seq >= seq)
    if (first < 0) return
    for (const { segment } of this.#refs.splice(first)) segment.unsettled--
  }

  /**
   * What is settled once `refs`, all leased, are.
   *
   * @param lostSeqs of records that cannot be read: they count as settled too
   * @param knownSeq the highest seq read so far, of any priority
   */
  settledWith(refs: ReadonlySet<RecordRef>, lostSeqs: readonly number[], knownSeq: number): SettledSet {
    const added = [...lostSeqs]
    const unsettled: number[] = []
    // The waiting ones all stay unsettled. Unless earlier owners settled among them, the first stands for the rest.
    const head = this.head?.record.seq
    const isMixed = head !== undefined && this.#settled.ranges.some(([, last]) => last > head)
    const end = isMixed || lostSeqs.length > 0 ? this.#refs.length : this.#waitingFrom + 1
    for (const ref of this.#refs.slice(0, end)) (refs.has(ref) ? added : unsettled).push(ref.record.seq)
    return settleInto(this.#settled, added, unsettled, knownSeq)
  }

  settle(refs: ReadonlySet<RecordRef>, settled: SettledSet): void {
    const left = this.#refs.slice(0, this.#waitingFrom).filter((ref) => !refs.has(ref))
    this.#refs.splice(0, this.#waitingFrom, ...left)
    this.#waitingFrom = left.length
    for (const { segment } of refs) segment.unsettled--
    this.#settled = settled
  }
}
