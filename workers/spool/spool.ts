import { messageOf } from '#core/errors/telemetry-error'
import { type SpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import type { SpoolOptions } from '#core/protocol/drain-messages'
import type { Clock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'
import { encodeRecordHeader } from './record-format.js'
import { recoverSpool } from './recover.js'
import type { Segment } from './segment.js'
import { SegmentLog } from './segment-log.js'
import { SegmentReader, type SpooledBatch } from './segment-reader.js'
import { Quarantine, writeCursor } from './spool-files.js'
import { type DropReason, SpoolLedger } from './spool-ledger.js'

/** Buffers of one write: the system takes 1024 at most. */
const WRITE_BATCHES = 256
/** A segment ends at a 64th of the bound, so that little more is dropped than must be. */
const SEGMENTS_PER_BOUND = 64
const SEGMENT_BYTES = { min: 16 * 1024, max: 4 * 2 ** 20 }
/** Nor does it hold more than so small a part of the greatest age. */
const SEGMENTS_PER_AGE = 16
const CURSOR_INTERVAL_MS = 1000

/** Points between two steps, where crash tests end the worker. */
export type SpoolStep =
  | 'spool: append'
  | 'spool: written'
  | 'spool: take'
  | 'spool: acknowledge'
  | 'spool: acknowledged'
  | 'spool: dropped'

export interface SpoolContext {
  options: SpoolOptions
  shards: number
  /** The numbering of this run. */
  producer: string
  epoch: number
  clock: Clock
  /** Hears how long each flush to the disk took. */
  onSync: (durationMs: number) => void
  onStep?: ((step: SpoolStep) => void) | undefined
}

/**
 * A queue of batches on disk, in the order in which they came. Bounded by bytes and age: when it is full the oldest
 * segment of which nothing is just being sent goes, counted. Batches are taken in order, and acknowledged in order once
 * the store has them; a worker or a hub that ends at any point has a successor that goes on with what is not
 * acknowledged.
 *
 * Thread: a drain worker's. File operations are synchronous, but for the flush to the disk.
 */
export class Spool {
  readonly #context: SpoolContext
  readonly #view: SpoolCountsView
  readonly #ledger: SpoolLedger
  readonly #segmentBytes: number
  readonly #reader: SegmentReader
  readonly #log: SegmentLog
  readonly #onStep: (step: SpoolStep) => void
  readonly #heldFrom: Float64Array
  /** Oldest first. */
  readonly #segments: Segment[]
  /** Taken and not acknowledged, oldest first. */
  #taken: SpooledBatch[] = []
  #problem: string | undefined
  #cursorAtMs = Number.NEGATIVE_INFINITY

  /**
   * Opens the spool and finds what is in it. Cost: reads all of it once.
   *
   * @throws TLM_STREAM_UNAVAILABLE the directory cannot be read or written
   */
  constructor(context: SpoolContext) {
    const { options, shards, clock, onSync, onStep = () => {} } = context
    const { directory, counts, maxBytes, maxAgeMs, fsyncMs } = options
    this.#context = context
    this.#onStep = onStep
    this.#view = new SpoolCountsView(counts)
    const quarantine = new Quarantine(directory)
    const found = recoverSpool(context, this.#view, quarantine)
    this.#ledger = new SpoolLedger(this.#view, found.counts)
    this.#segments = found.segments
    this.#heldFrom = found.heldFrom
    this.#reader = new SegmentReader(shards, quarantine)
    const wanted = Math.floor(maxBytes / SEGMENTS_PER_BOUND)
    this.#segmentBytes = Math.min(SEGMENT_BYTES.max, Math.max(SEGMENT_BYTES.min, wanted))
    const { nextNumber } = found
    const bounds = { segmentBytes: this.#segmentBytes, segmentAgeMs: maxAgeMs / SEGMENTS_PER_AGE }
    this.#log = new SegmentLog({ directory, shards, ...bounds, fsyncMs, clock, nextNumber, onSync })
    this.#publish()
  }

  get counts(): Readonly<SpoolCounts> {
    return this.#ledger.counts
  }

  /** Batches that can be taken. */
  get unread(): number {
    return this.#segments.reduce((sum, { unreadBatches }) => sum + unreadBatches, 0)
  }

  /** Batches of the shard that can be taken. */
  unreadOf(shard: number): number {
    return this.#segments.reduce((sum, { unread }) => sum + unread[shard], 0)
  }

  /** Taken and not acknowledged, oldest first. */
  get taken(): readonly SpooledBatch[] {
    return this.#taken
  }

  /** The greater of the shares of its bytes and of its greatest age that are used up; 1 and more: the oldest goes. */
  get fill(): number {
    const { clock, epoch, options } = this.#context
    const ageMs = this.#segments[0]?.ageMs(clock, epoch) ?? 0
    return Math.max(this.#ledger.counts.sizeBytes / options.maxBytes, ageMs / options.maxAgeMs)
  }

  /** Why the last write failed; `undefined` when it did not. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Whether a batch of this run's numbering was spooled, by this worker or one before it. */
  wasSpooled({ producer, epoch, shard, seq }: Pick<SealedBatch, 'producer' | 'epoch' | 'shard' | 'seq'>): boolean {
    const { producer: own, epoch: ownEpoch } = this.#context
    return producer === own && epoch === ownEpoch && this.#view.isMarked(shard, seq)
  }

  /** The numbering of this run. */
  numberingOf(shard: number): Pick<SealedBatch, 'producer' | 'epoch' | 'shard'> {
    const { producer, epoch } = this.#context
    return { producer, epoch, shard }
  }

  /** Counts samples that the store had and lost and that are not kept: those of `seqs`, in the numbering of the batch. */
  rolledBack({ shard, epoch, producer }: SealedBatch, seqs: readonly number[], samples: number): void {
    this.#ledger.counts.rolledBack += samples
    if (epoch === this.#context.epoch && producer === this.#context.producer) {
      for (const seq of seqs) this.#view.markRolledBack(shard, seq)
    }
    this.#publish()
  }

  /**
   * Whether a batch of this run's numbering, which is settled or was spooled, was delivered before this worker began,
   * and is not counted as lost since.
   */
  wasDelivered(shard: number, seq: number): boolean {
    const isHeld = this.#view.isMarked(shard, seq) && seq >= this.#heldFrom[shard]
    return !isHeld && !this.#view.isRolledBack(shard, seq)
  }

  /** Counts samples that the store had lost and has again. */
  repaired(samples: number): void {
    this.#ledger.counts.repaired += samples
    this.#publish()
  }

  /** Counts a batch that was to be stored, wherever it went: what the spool would have to hold. */
  offered(samples: number, bytes: number): void {
    this.#ledger.counts.offered += samples
    this.#ledger.counts.offeredBytes += bytes
  }

  /** Counts batches that were appended, and time that passed, while processors were pressed too hard to be sent any. */
  heldBack(batches: readonly SealedBatch[], durationMs: number): void {
    this.#ledger.heldBack(batches, durationMs)
    this.#publish()
  }

  /**
   * Writes batches behind all others. In the system's cache when this returns, which a crash of the process survives; on
   * the disk, which a power cut survives, at the next {@link sync}, or at once when `fsyncMs` is 0.
   *
   * @param mayDrop `false`: drops nothing older to make room
   * @returns how many were written, from the first on; fewer than all: {@link problem} says why
   */
  append(batches: readonly SealedBatch[], mayDrop = true): number {
    this.#onStep('spool: append')
    let written = 0
    while (written < batches.length) {
      const group = this.#groupOf(batches, written)
      if (!this.#write(group, mayDrop)) break
      written += group.length
    }
    this.#publish()
    return written
  }

  /**
   * Takes the next batches, in order.
   *
   * @param maxBytes of bodies; the first is taken whatever it has
   * @param mayFollow asked before each is taken; `false` ends it
   */
  take(maxBytes: number, mayFollow: (batch: SealedBatch) => boolean): SpooledBatch[] {
    this.#onStep('spool: take')
    const taken: SpooledBatch[] = []
    let bytes = 0
    for (;;) {
      const segment = this.#segments.find(({ isRead }) => !isRead)
      if (segment === undefined) break
      const batch = this.#reader.peek(segment, (at) => this.#countDamage(segment, at))
      if (batch === undefined) {
        // Nothing more can be read of it: what it should have had is damaged.
        this.#giveUp(segment, 'corrupt')
        continue
      }
      if (bytes > 0 && bytes + batch.body.byteLength > maxBytes) break
      if (!mayFollow(batch)) break
      this.#reader.advance(segment, batch)
      segment.count(batch, -1)
      segment.taken++
      bytes += batch.body.byteLength
      taken.push(batch)
      this.#taken.push(batch)
    }
    return taken
  }

  /** The store has the oldest so many that are taken. */
  acknowledge(count: number): void {
    this.#onStep('spool: acknowledge')
    const done = this.#taken.splice(0, count)
    if (done.length === 0) return
    for (const { segment } of done) segment.taken--
    this.#ledger.replayed(done)
    // Counted before files go: a successor must not miss what it cannot find.
    this.#publish()
    this.#onStep('spool: acknowledged')
    for (const { segment } of done) this.#release(segment)
    this.#publish()
  }

  /** Puts back all that is taken and not acknowledged, to be taken again in the same order. */
  rewind(): void {
    for (const batch of this.#taken.splice(0).reverse()) {
      const { segment } = batch
      segment.taken--
      segment.readAt = batch.at
      segment.count(batch, 1)
    }
  }

  /** Call about once a second: drops what is too old, notes how far delivery has come. */
  tick(): void {
    const { clock, epoch, options } = this.#context
    const nowMs = clock.monotonicMs()
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      if (oldest.ageMs(clock, epoch) <= options.maxAgeMs) break
      this.#giveUp(oldest, 'age')
    }
    if (nowMs - this.#cursorAtMs >= CURSOR_INTERVAL_MS) this.#noteCursor(nowMs)
    this.#publish()
  }

  /** Has what was written on the disk soon. */
  sync(): void {
    this.#log.sync()
  }

  /** Notes how far delivery has come and has everything on the disk. Never throws. */
  close(): void {
    this.rewind()
    this.#noteCursor(this.#context.clock.monotonicMs())
    try {
      this.#log.syncNow()
    } catch (error) {
      this.#problem = messageOf(error)
    }
    this.#log.end()
    this.#publish()
  }

  /** Batches from `from` on that one write takes. */
  #groupOf(batches: readonly SealedBatch[], from: number): SealedBatch[] {
    const group: SealedBatch[] = []
    let bytes = 0
    for (const batch of batches.slice(from, from + WRITE_BATCHES)) {
      bytes += batch.body.byteLength
      if (group.length > 0 && bytes > this.#segmentBytes) break
      group.push(batch)
    }
    return group
  }

  #write(group: readonly SealedBatch[], mayDrop: boolean): boolean {
    const nowUs = this.#context.clock.nowUs()
    const buffers = group.flatMap((batch) => [encodeRecordHeader(batch, nowUs), batch.body])
    const bytes = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (!this.#makeRoom(bytes, mayDrop)) return false
    for (let tries = 1; ; tries++) {
      try {
        const segment = this.#log.write(buffers, bytes)
        this.#onStep('spool: written')
        this.#count(segment, group, nowUs, bytes)
        this.#problem = undefined
        return true
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException
        if (code === undefined) throw error
        const isDiskFull = code === 'ENOSPC' || code === 'EDQUOT'
        const oldest = this.#oldest()
        if (isDiskFull && mayDrop && tries === 1 && oldest !== undefined) {
          this.#giveUp(oldest, 'diskFull')
          continue
        }
        const { directory } = this.#context.options
        const fix = isDiskFull ? 'free space on the disk' : `check the disk and the rights of ${directory}`
        this.#problem = `the spool cannot be written: ${messageOf(error)}. Fix: ${fix}`
        return false
      }
    }
  }

  #count(segment: Segment, group: readonly SealedBatch[], nowUs: number, bytes: number): void {
    const isNew = !this.#segments.includes(segment)
    if (isNew) {
      this.#segments.push(segment)
      segment.firstAtUs = nowUs
    }
    this.#ledger.appended(group, nowUs, bytes, isNew ? segment.size - bytes : 0)
    segment.lastAtUs = nowUs
    segment.lastAtMs = this.#context.clock.monotonicMs()
    for (const batch of group) {
      segment.count(batch, 1)
      if (batch.epoch === this.#context.epoch) this.#view.mark(batch.shard, batch.seq)
    }
  }

  /** @returns whether the bound leaves room for so many bytes, after older ones were dropped as needed */
  #makeRoom(bytes: number, mayDrop: boolean): boolean {
    const { maxBytes } = this.#context.options
    while (this.#ledger.counts.sizeBytes + bytes > maxBytes) {
      const oldest = mayDrop ? this.#oldest() : undefined
      if (oldest === undefined) {
        this.#problem = `${bytes} bytes do not fit into a spool of ${maxBytes}. Fix: raise spool.max_bytes`
        return false
      }
      this.#giveUp(oldest, 'size')
    }
    return true
  }

  /** The oldest segment that can be dropped: none of which something is just being sent. */
  #oldest(): Segment | undefined {
    return this.#segments.find(({ unreadBatches, taken }) => unreadBatches > 0 && taken === 0)
  }

  /** Drops what of the segment is not taken. */
  #giveUp(segment: Segment, reason: DropReason): void {
    if (this.#log.isWriting(segment)) this.#log.end()
    this.#ledger.dropped(segment, reason)
    if (this.#taken.length === 0) {
      this.#ledger.moveCursor(segment.number, segment.size)
      this.#ledger.counts.oldestAtUs = this.#oldest()?.firstAtUs ?? 0
    }
    this.#publish()
    this.#onStep('spool: dropped')
    this.#release(segment)
  }

  #countDamage(segment: Segment, at: number): void {
    if (segment.damagedAt.has(at)) return
    segment.damagedAt.add(at)
    this.#ledger.counts.corruptRecords++
  }

  /** Deletes the segment when nothing of it is needed any more. */
  #release(segment: Segment): void {
    const index = this.#segments.indexOf(segment)
    if (index < 0 || !segment.isRead || segment.taken > 0) return
    if (this.#log.isWriting(segment)) {
      // It goes as soon as the spool is empty: that of a hub that is well has no files.
      if (this.#ledger.counts.heldBatches > 0) return
      this.#log.end()
    }
    this.#segments.splice(index, 1)
    this.#ledger.deleted(segment)
    this.#reader.forget(segment)
    segment.delete()
  }

  #noteCursor(nowMs: number): void {
    const { cursorSegment: segment, cursorOffset: offset } = this.#ledger.counts
    this.#cursorAtMs = nowMs
    if (this.#segments.some(({ number }) => number === segment)) {
      writeCursor(this.#context.options.directory, { segment, offset })
    }
  }

  #publish(): void {
    this.#ledger.publish(this.#segments.length)
  }
}
