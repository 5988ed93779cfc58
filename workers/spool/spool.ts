import { messageOf } from '#core/errors/telemetry-error'
import { type SpoolCounts, SpoolCountsView } from '#core/journal/spool-counts'
import type { SpoolOptions } from '#core/protocol/drain-messages'
import type { Clock } from '#core/time/clock'
import type { SealedBatch } from '#core/transport/batch-stream'
import { encodeRecordHeader } from './record-format.js'
import { recoverSpool } from './recover.js'
import { Segment, SegmentWriter } from './segment.js'
import { SegmentReader, type SpooledBatch } from './segment-reader.js'
import { Quarantine, writeCursor } from './spool-files.js'

/** Buffers of one write: the system takes 1024 at most. */
const WRITE_BATCHES = 256
/** A segment ends at a 64th of the bound, so that little more is dropped than must be. */
const SEGMENTS_PER_BOUND = 64
const SEGMENT_BYTES = { min: 16 * 1024, max: 4 * 2 ** 20 }
/** Nor does it hold more than so small a part of the greatest age. */
const SEGMENTS_PER_AGE = 16
const CURSOR_INTERVAL_MS = 1000
/** Wall clocks that say less have not been set yet. */
const CLOCK_SET_US = Date.UTC(2020, 0) * 1000

export interface SpoolContext {
  options: SpoolOptions
  shards: number
  /** The numbering of this run. */
  producer: string
  epoch: number
  clock: Clock
  /** Hears how long each flush to the disk took. */
  onSync: (durationMs: number) => void
}

/**
 * A queue of batches on disk, in the order in which they came. Bounded by bytes and age: when it is full the oldest
 * segment goes, counted. Batches are taken in order, and acknowledged in order once the store has them; a worker or a
 * hub that ends at any point has a successor that goes on with what is not acknowledged.
 *
 * Thread: a drain worker's. File operations are synchronous, but for the flush to the disk.
 */
export class Spool {
  readonly #context: SpoolContext
  readonly #view: SpoolCountsView
  readonly #counts: SpoolCounts
  readonly #segmentBytes: number
  readonly #reader: SegmentReader
  /** Oldest first. */
  readonly #segments: Segment[]
  /** Taken and not acknowledged, oldest first. */
  #taken: SpooledBatch[] = []
  #writer: SegmentWriter | undefined
  #nextNumber: number
  #problem: string | undefined
  #cursorAtMs = Number.NEGATIVE_INFINITY

  /**
   * Opens the spool and finds what is in it. Cost: reads all of it once.
   *
   * @throws TLM_STREAM_UNAVAILABLE the directory cannot be read or written
   */
  constructor(context: SpoolContext) {
    const { options, shards } = context
    this.#context = context
    this.#view = new SpoolCountsView(options.counts)
    const quarantine = new Quarantine(options.directory)
    const found = recoverSpool(context, this.#view, quarantine)
    this.#counts = found.counts
    this.#segments = found.segments
    this.#nextNumber = found.nextNumber
    this.#reader = new SegmentReader(shards, quarantine)
    const wanted = Math.floor(options.maxBytes / SEGMENTS_PER_BOUND)
    this.#segmentBytes = Math.min(SEGMENT_BYTES.max, Math.max(SEGMENT_BYTES.min, wanted))
    for (const segment of [...this.#segments]) this.#release(segment)
    this.#publish()
  }

  get counts(): Readonly<SpoolCounts> {
    return this.#counts
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

  /** Counts samples that the store had and lost, and that are not kept. */
  rolledBack(samples: number): void {
    this.#counts.rolledBack += samples
    this.#publish()
  }

  /** Counts samples that the store had lost and has again. */
  repaired(samples: number): void {
    this.#counts.repaired += samples
    this.#publish()
  }

  /** Counts a batch that was to be stored, wherever it went: what the spool would have to hold. */
  offered(samples: number, bytes: number): void {
    this.#counts.offered += samples
    this.#counts.offeredBytes += bytes
  }

  /**
   * Writes batches behind all others. In the system's cache when this returns, which a crash of the process survives; on
   * the disk, which a power cut survives, at the next {@link sync}, or when `fsyncMs` is 0.
   *
   * @returns how many were written, from the first on; fewer than all: {@link problem} says why
   */
  append(batches: readonly SealedBatch[]): number {
    let written = 0
    while (written < batches.length) {
      const group = this.#groupOf(batches, written)
      if (!this.#write(group)) break
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
    const taken: SpooledBatch[] = []
    let bytes = 0
    for (;;) {
      const segment = this.#segments.find(({ isRead }) => !isRead)
      if (segment === undefined) break
      const batch = this.#reader.peek(segment, (at) => this.#countDamage(segment, at))
      if (batch === undefined) {
        this.#endOf(segment)
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
    this.#publish()
    return taken
  }

  /** The store has the oldest so many that are taken. */
  acknowledge(count: number): void {
    const done = this.#taken.splice(0, count)
    if (done.length === 0) return
    for (const batch of done) {
      this.#counts.replayed += batch.samples
      this.#counts.held -= batch.samples
      this.#counts.heldBatches--
      this.#counts.cursorSegment = batch.segment.number
      this.#counts.cursorOffset = batch.end
      this.#counts.oldestAtUs = batch.spooledAtUs
      batch.segment.taken--
      this.#release(batch.segment)
    }
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
    this.#publish()
  }

  /** Call about once a second: drops what is too old, notes how far delivery has come, flushes to the disk. */
  tick(): void {
    const { clock, options } = this.#context
    const nowMs = clock.monotonicMs()
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      if (this.#ageMs(oldest, nowMs) <= options.maxAgeMs) break
      this.#drop(oldest, 'age')
    }
    this.#noteCursor(nowMs)
    this.#publish()
  }

  /** Has what was written on the disk soon. */
  sync(): void {
    this.#writer?.sync(this.#context.onSync)
  }

  /** Notes how far delivery has come and has everything on the disk. Never throws. */
  close(): void {
    this.rewind()
    this.#noteCursor(Number.POSITIVE_INFINITY)
    try {
      this.#writer?.syncNow()
    } catch (error) {
      this.#problem = messageOf(error)
    }
    this.#endWriter()
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

  #write(group: readonly SealedBatch[]): boolean {
    const { clock, options } = this.#context
    const nowUs = clock.nowUs()
    const buffers = group.flatMap((batch) => [encodeRecordHeader(batch, nowUs), batch.body])
    const bytes = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (!this.#makeRoom(bytes)) return false
    for (let tries = 1; ; tries++) {
      try {
        const { segment } = this.#writerFor(bytes)
        const sizeBefore = segment.size
        this.#writer!.write(buffers)
        if (options.fsyncMs === 0) this.#writer!.syncNow()
        this.#take(segment, group, nowUs, segment.size - sizeBefore)
        this.#problem = undefined
        return true
      } catch (error) {
        this.#endWriter()
        const isDiskFull = ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
        const oldest = this.#oldest()
        if (isDiskFull && tries === 1 && oldest !== undefined) {
          this.#drop(oldest, 'diskFull')
          continue
        }
        const fix = isDiskFull ? 'free space on the disk' : `check the disk and the rights of ${options.directory}`
        this.#problem = `the spool cannot be written: ${messageOf(error)}. Fix: ${fix}`
        return false
      }
    }
  }

  #take(segment: Segment, group: readonly SealedBatch[], nowUs: number, bytes: number): void {
    const counts = this.#counts
    if (segment.firstAtUs === 0) segment.firstAtUs = nowUs
    segment.lastAtUs = nowUs
    segment.lastAtMs = this.#context.clock.monotonicMs()
    if (counts.heldBatches === 0) counts.oldestAtUs = nowUs
    counts.sizeBytes += bytes
    counts.appendedBytes += bytes
    for (const batch of group) {
      segment.count(batch, 1)
      counts.appended += batch.samples
      counts.held += batch.samples
      counts.heldBatches++
      if (batch.epoch === this.#context.epoch) this.#view.mark(batch.shard, batch.seq)
    }
  }

  /** @returns whether the bound leaves room for so many bytes, after older ones were dropped as needed */
  #makeRoom(bytes: number): boolean {
    const { maxBytes } = this.#context.options
    while (this.#counts.sizeBytes + bytes > maxBytes) {
      const oldest = this.#oldest()
      if (oldest === undefined) {
        this.#problem = `${bytes} bytes do not fit into a spool of ${maxBytes}. Fix: raise spool.max_bytes`
        return false
      }
      this.#drop(oldest, 'size')
    }
    return true
  }

  #writerFor(bytes: number): SegmentWriter {
    const { clock, options, shards } = this.#context
    const nowMs = clock.monotonicMs()
    const isFull = this.#writer !== undefined && this.#writer.segment.size + bytes > this.#segmentBytes
    const isOld = this.#writer !== undefined && this.#writer.ageMs(nowMs) > options.maxAgeMs / SEGMENTS_PER_AGE
    if (isFull || isOld) this.#endWriter()
    if (this.#writer === undefined) {
      const segment = new Segment(options.directory, this.#nextNumber, shards)
      this.#writer = new SegmentWriter(segment, shards, clock.nowUs(), nowMs)
      this.#nextNumber++
      this.#segments.push(segment)
      this.#counts.sizeBytes += segment.size
    }
    return this.#writer
  }

  #endWriter(): void {
    const segment = this.#writer?.segment
    this.#writer?.close()
    this.#writer = undefined
    if (segment !== undefined) this.#release(segment)
  }

  /** The oldest segment that can be dropped: none of which something is just being sent. */
  #oldest(): Segment | undefined {
    return this.#segments.find(({ unreadBatches, taken }) => unreadBatches > 0 && taken === 0)
  }

  #ageMs({ lastAtUs, lastAtMs }: Segment, nowMs: number): number {
    const { clock, epoch } = this.#context
    const sinceMs = nowMs - lastAtMs
    if (lastAtUs >= epoch || lastAtUs < CLOCK_SET_US) return sinceMs
    return Math.max(sinceMs, (clock.nowUs() - lastAtUs) / 1000)
  }

  #drop(segment: Segment, reason: 'size' | 'age' | 'diskFull'): void {
    if (this.#writer?.segment === segment) this.#endWriter()
    const batches = segment.unreadBatches
    this.#giveUp(reason, segment.giveUp(), batches)
    this.#release(segment)
    const next = this.#oldest()
    if (this.#taken.length === 0) this.#counts.oldestAtUs = next?.firstAtUs ?? 0
  }

  #giveUp(reason: 'size' | 'age' | 'diskFull' | 'corrupt', samples: number, batches: number): void {
    const name = (
      { size: 'droppedSize', age: 'droppedAge', diskFull: 'droppedDiskFull', corrupt: 'droppedCorrupt' } as const
    )[reason]
    this.#counts[name] += samples
    this.#counts.held -= samples
    this.#counts.heldBatches -= batches
  }

  #countDamage(segment: Segment, at: number): void {
    if (segment.damagedAt.has(at)) return
    segment.damagedAt.add(at)
    this.#counts.corruptRecords++
  }

  /** Nothing more can be read of it: what it should have had is damaged. */
  #endOf(segment: Segment): void {
    const batches = segment.unreadBatches
    this.#giveUp('corrupt', segment.giveUp(), batches)
    this.#release(segment)
  }

  /** Deletes a segment of which nothing is needed any more. */
  #release(segment: Segment): void {
    if (!segment.isRead || segment.taken > 0) return
    const isWritten = this.#writer?.segment === segment
    // The one that is written to goes as soon as the spool is empty: a hub that is well has none.
    if (isWritten && (this.#counts.heldBatches > 0 || this.#segments.length > 1)) return
    if (isWritten) {
      this.#writer!.close()
      this.#writer = undefined
    }
    const index = this.#segments.indexOf(segment)
    if (index < 0) return
    this.#segments.splice(index, 1)
    this.#counts.sizeBytes -= segment.size
    this.#reader.forget(segment)
    segment.delete()
  }

  #noteCursor(nowMs: number): void {
    const { cursorSegment: segment, cursorOffset: offset } = this.#counts
    if (segment === 0 || nowMs - this.#cursorAtMs < CURSOR_INTERVAL_MS) return
    this.#cursorAtMs = nowMs
    if (this.#segments.some(({ number }) => number === segment)) {
      writeCursor(this.#context.options.directory, { segment, offset })
    }
  }

  #publish(): void {
    this.#counts.segments = this.#segments.length
    if (this.#counts.heldBatches === 0) this.#counts.oldestAtUs = 0
    this.#view.write(this.#counts)
  }
}
