import type { SpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import type { SealedBatch } from '#core/transport/batch-stream'
import type { Segment } from './segment.js'

const DROPPED = {
  size: 'droppedSize',
  age: 'droppedAge',
  corrupt: 'droppedCorrupt',
  diskFull: 'droppedDiskFull',
} as const

export type DropReason = keyof typeof DROPPED

/** What a spool has counted; others see it as of the last {@link publish}, all at one moment. Thread: its spool's. */
export class SpoolLedger {
  readonly counts: SpoolCounts
  readonly #view: SpoolCountsView

  /** @param counts to go on with */
  constructor(view: SpoolCountsView, counts: SpoolCounts) {
    this.#view = view
    this.counts = counts
  }

  /** Batches were written, with `bytes` more in the files, `headerBytes` of them of a new segment. */
  appended(batches: readonly SealedBatch[], nowUs: number, bytes: number, headerBytes: number): void {
    const { counts } = this
    if (counts.heldBatches === 0) counts.oldestAtUs = nowUs
    counts.sizeBytes += bytes + headerBytes
    counts.appendedBytes += bytes
    for (const { samples } of batches) {
      counts.appended += samples
      counts.held += samples
      counts.heldBatches++
    }
  }

  /** Batches were appended, and time has passed, while processors were pressed too hard to be sent any. */
  heldBack(batches: readonly SealedBatch[], durationMs: number): void {
    const { counts } = this
    counts.heldBackMs += durationMs
    counts.heldBackBatches += batches.length
    for (const { samples } of batches) counts.heldBack += samples
  }

  /** The store has these, the oldest that were held. */
  replayed(batches: readonly { samples: number; segment: Segment; end: number; spooledAtUs: number }[]): void {
    const { counts } = this
    for (const { samples, segment, end, spooledAtUs } of batches) {
      counts.replayed += samples
      counts.held -= samples
      counts.heldBatches--
      this.moveCursor(segment.number, end)
      counts.oldestAtUs = spooledAtUs
    }
  }

  /** What is unread of the segment is given up. */
  dropped(segment: Segment, reason: DropReason): void {
    const { counts } = this
    counts.heldBatches -= segment.unreadBatches
    const samples = segment.giveUp()
    counts[DROPPED[reason]] += samples
    counts.held -= samples
  }

  deleted({ size }: Segment): void {
    this.counts.sizeBytes -= size
  }

  /** All before is delivered or dropped. */
  moveCursor(segment: number, offset: number): void {
    this.counts.cursorSegment = segment
    this.counts.cursorOffset = offset
  }

  publish(segments: number): void {
    this.counts.segments = segments
    if (this.counts.heldBatches === 0) this.counts.oldestAtUs = 0
    this.#view.write(this.counts)
  }
}
