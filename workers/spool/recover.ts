import { accessSync, constants, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { droppedOf, type SpoolCounts, type SpoolCountsView } from '#core/journal/spool-counts'
import { decodeSegmentHeader, readPieces, SEGMENT_HEADER_BYTES, SEGMENT_VERSION } from './record-format.js'
import { Segment } from './segment.js'
import type { SpoolContext } from './spool.js'
import { type Cursor, listSegments, type Quarantine, readCursor, segmentPath } from './spool-files.js'

export interface Recovered {
  counts: SpoolCounts
  /** That have something to deliver, oldest first. */
  segments: Segment[]
  /** Of the segment that is begun next. */
  nextNumber: number
  /** By shard: the first seq of this run's numbering that is held; infinite: none. */
  heldFrom: Float64Array
}

/**
 * Finds what a spool holds: at the start of a hub what an earlier run left, after the end of a worker what that was at.
 * Damage is counted and kept for a look; it never keeps the spool from opening.
 *
 * @throws TLM_STREAM_UNAVAILABLE the directory cannot be read or written
 */
export function recoverSpool(context: SpoolContext, view: SpoolCountsView, quarantine: Quarantine): Recovered {
  const { directory } = context.options
  const counts = view.read()
  const isFirst = counts.isOpened === 0
  try {
    mkdirSync(directory, { recursive: true })
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK)
    const stored = readCursor(directory)
    const cursor = isFirst ? stored : { segment: counts.cursorSegment, offset: counts.cursorOffset }
    const scan = new Scan(context, view, quarantine, cursor, isFirst)
    const numbers = listSegments(directory)
    for (const number of numbers) scan.add(number, number === numbers.at(-1))
    const nextNumber = Math.max(0, numbers.at(-1) ?? 0, stored?.segment ?? 0, counts.cursorSegment) + 1
    return { counts: scan.finish(counts), segments: scan.segments, nextNumber, heldFrom: scan.heldFrom }
  } catch (error) {
    const fix = `Fix: make ${directory} a directory that this user can read and write`
    throw new TelemetryError('TLM_STREAM_UNAVAILABLE', `The spool cannot be opened: ${messageOf(error)}. ${fix}.`)
  }
}

class Scan {
  readonly segments: Segment[] = []
  readonly heldFrom: Float64Array
  readonly #context: SpoolContext
  readonly #view: SpoolCountsView
  readonly #quarantine: Quarantine
  readonly #cursor: Cursor | undefined
  readonly #isFirst: boolean
  #held = 0
  #heldBatches = 0
  #sizeBytes = 0
  #damagedSamples = 0
  #damagedRecords = 0

  constructor(
    context: SpoolContext,
    view: SpoolCountsView,
    quarantine: Quarantine,
    cursor: Cursor | undefined,
    isFirst: boolean,
  ) {
    this.heldFrom = new Float64Array(context.shards).fill(Number.POSITIVE_INFINITY)
    this.#context = context
    this.#view = view
    this.#quarantine = quarantine
    this.#cursor = cursor
    this.#isFirst = isFirst
  }

  add(number: number, isLast: boolean): void {
    const { directory } = this.#context.options
    const cursor = this.#cursor
    if (cursor !== undefined && number < cursor.segment) {
      rmSync(segmentPath(directory, number), { force: true })
      return
    }
    const segment = new Segment(directory, number, this.#context.shards)
    const bytes = readFileSync(segment.path)
    segment.size = bytes.length
    segment.lastAtMs = this.#context.clock.monotonicMs()
    segment.readAt = this.#begin(bytes, segment)
    if (cursor?.segment === number) segment.readAt = Math.max(segment.readAt, Math.min(cursor.offset, bytes.length))
    for (const piece of readPieces(bytes, segment.readAt)) {
      const { at, end } = piece
      if (piece.kind === 'record' && piece.batch.shard < this.#context.shards) {
        this.#count(segment, piece)
        continue
      }
      const samples = piece.kind === 'record' ? piece.batch.samples : piece.samples
      this.#damage(segment, at, bytes.subarray(at, end))
      // A worker's last write, cut off: whoever follows it has the samples in the ring still.
      const isTornBySuccession = !this.#isFirst && isLast && end === bytes.length
      if (!isTornBySuccession) this.#damagedSamples += samples
    }
    if (segment.unreadBatches === 0) segment.delete()
    else {
      this.segments.push(segment)
      this.#sizeBytes += segment.size
    }
  }

  /** The counts as they are with what was found. */
  finish(before: SpoolCounts): SpoolCounts {
    const counts = {
      ...before,
      isOpened: 1,
      held: this.#held,
      heldBatches: this.#heldBatches,
      sizeBytes: this.#sizeBytes,
    }
    counts.segments = this.segments.length
    counts.oldestAtUs = this.segments[0]?.firstAtUs ?? 0
    counts.droppedCorrupt += this.#damagedSamples
    counts.corruptRecords += this.#damagedRecords
    if (this.#isFirst) {
      counts.recovered = this.#held + this.#damagedSamples
      counts.cursorSegment = this.#cursor?.segment ?? 0
      counts.cursorOffset = this.#cursor?.offset ?? 0
    } else {
      // What the worker before had written, and perhaps not counted.
      counts.appended = counts.held + counts.replayed + droppedOf(counts) - counts.recovered
    }
    return counts
  }

  /** @returns where records begin; the file's start when its header is damaged: then all of it is looked through */
  #begin(bytes: Buffer, segment: Segment): number {
    const header = decodeSegmentHeader(bytes)
    if (header?.version === SEGMENT_VERSION) return SEGMENT_HEADER_BYTES
    if (header === undefined) return 0
    this.#damage(segment, 0, bytes)
    return bytes.length
  }

  #count(
    segment: Segment,
    piece: {
      batch: Parameters<Segment['count']>[0] & { producer: string; epoch: number; seq: number }
      spooledAtUs: number
    },
  ): void {
    const { batch, spooledAtUs } = piece
    segment.count(batch, 1)
    if (segment.firstAtUs === 0) segment.firstAtUs = spooledAtUs
    segment.lastAtUs = spooledAtUs
    this.#held += batch.samples
    this.#heldBatches++
    const { producer, epoch } = this.#context
    if (batch.producer !== producer || batch.epoch !== epoch) return
    this.#view.mark(batch.shard, batch.seq)
    this.heldFrom[batch.shard] = Math.min(this.heldFrom[batch.shard], batch.seq)
  }

  #damage(segment: Segment, at: number, bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return
    segment.damagedAt.add(at)
    this.#damagedRecords++
    this.#quarantine.keep(`${segment.number}-${at}.bin`, bytes)
  }
}
