import { fstatSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Priority } from '#core/model/priority'
import type { Cursor } from './control-rows.js'
import { PriorityWindow, type ReadSegment, type RecordRef } from './priority-window.js'
import { type SegmentFile, segmentPath } from './segment-files.js'
import {
  addTotals,
  decodeRecordHeader,
  decodeSegmentHeader,
  isBodyWhole,
  MAX_HEADER_BYTES,
  type RecordHeader,
  type SegmentHeader,
  type Totals,
} from './segment-format.js'
import { isMissing } from './store-failure.js'

/** Small records are read many at a time, large ones by their headers alone. */
const CHUNK_BYTES = 65_536
const SPARSE_CHUNK_BYTES = 4096
const LARGE_RECORD_BYTES = 16_384
/** Each record is two buffers; Linux takes 1024 in one call. */
const MAX_RECORDS_PER_READ = 256

/** Records that the log should hold and does not, or not whole. */
export interface Loss extends Totals {
  firstSeq: number
  lastSeq: number
  /** Known when it is one record whose header is whole. */
  priority: Priority | undefined
}

/** Where reading stands in a segment. */
interface Place {
  segment: ReadSegment
  handle: FileHandle
  offset: number
  /** Seq of the last record that counted. */
  chainSeq: number
  /** What the numbering has held up to here. */
  totals: Totals
  lastRecordBytes: number
}

/**
 * Reads one numbering's log in order and keeps what is not settled in a window per priority. Only headers are read
 * ahead; a body is read and checked when it is leased.
 *
 * Thread: main, asynchronous; one call at a time.
 */
export class NumberingReader {
  readonly name: string
  readonly windows: readonly [PriorityWindow, PriorityWindow, PriorityWindow]
  readonly #folder: string
  readonly #lossSeq: number
  readonly #segments = new Map<number, ReadSegment>()
  readonly #losses: Loss[] = []
  #files: readonly SegmentFile[] = []
  #header: SegmentHeader | undefined
  #place: Place | undefined
  #isAtEnd = false
  /** Highest seq that went into a window or was settled before. */
  #seenSeq = 0
  /** A record whose body was not whole when it was leased: it is looked at closely when reading comes by again. */
  #suspectSeq: number | undefined

  constructor(folder: string, name: string, cursor: Cursor | undefined) {
    this.#folder = folder
    this.name = name
    this.#lossSeq = cursor?.lossSeq ?? 0
    const [high, normal, low] = cursor?.settled ?? []
    this.windows = [new PriorityWindow(high), new PriorityWindow(normal), new PriorityWindow(low)]
  }

  /** Producer, epoch and shard; known once something was read. */
  get numbering(): SegmentHeader | undefined {
    return this.#header
  }

  /** What the numbering had held when its oldest segment began: all of that is settled. */
  get firstTotals(): Totals {
    return this.#header?.totals ?? { entries: 0, samples: 0, bytes: 0 }
  }

  get knownSeq(): number {
    return this.#seenSeq
  }

  /** Losses found and not written down yet. */
  get losses(): readonly Loss[] {
    return this.#losses
  }

  get waiting(): number {
    return this.windows.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  /** @param files all of the numbering, oldest first, as listed just now */
  setFiles(files: readonly SegmentFile[]): void {
    this.#files = files
  }

  /** Reads on until `most` records wait or all is read. */
  async readOn(most: number): Promise<void> {
    this.#isAtEnd = false
    while (this.waiting < most) {
      if (this.#place !== undefined && (await this.#readSome(this.#place))) continue
      // The listing is older than the end just seen: what it shows to have a successor has grown for the last time.
      const nextIndex = (this.#place?.segment.index ?? 0) + 1
      const next = this.#files.find(({ index }) => index >= nextIndex)
      this.#isAtEnd = next === undefined
      if (next === undefined || !(await this.#enter(next))) return
    }
  }

  /** Bodies in the order of `refs`, each with a buffer of its own; `undefined` for one that is not whole. */
  async readBodies(refs: readonly RecordRef[]): Promise<(Uint8Array | undefined)[]> {
    const bodies: (Uint8Array | undefined)[] = []
    for (let first = 0; first < refs.length; ) {
      let next = first + 1
      while (next < refs.length && next - first < MAX_RECORDS_PER_READ && isFollowedBy(refs[next - 1], refs[next]))
        next++
      const { segment } = refs[first]
      const isCurrent = segment === this.#place?.segment
      const handle = isCurrent ? this.#place?.handle : await this.#openSegment(segment.index)
      try {
        bodies.push(...(await readStretch(handle, refs.slice(first, next))))
      } finally {
        if (!isCurrent) await handle?.close()
      }
      first = next
    }
    return bodies
  }

  /** One body, apart from all other reading. */
  async readBody({ segment, ...ref }: RecordRef): Promise<Uint8Array | undefined> {
    const handle = await this.#openSegment(segment.index)
    try {
      return (await readStretch(handle, [{ segment, ...ref }]))[0]
    } finally {
      await handle?.close()
    }
  }

  /** The record turned out not to be whole: it and all behind it are read again. It must wait. */
  async distrust({ record, segment }: RecordRef): Promise<void> {
    for (const window of this.windows) window.forgetFrom(record.seq)
    for (const [index, known] of this.#segments) if (index >= segment.index) known.isRead = false
    this.#suspectSeq = record.seq
    this.#seenSeq = record.after
    await this.close()
    const file = this.#files.find(({ index }) => index === segment.index)
    if (file !== undefined) await this.#enter(file)
  }

  /** Forgets losses that were written down. */
  forgetLosses(count: number): void {
    this.#losses.splice(0, count)
  }

  /** Everything that was ever appended is read and settled. */
  get isSpent(): boolean {
    return this.#isAtEnd && [...this.#segments.values()].every(({ unsettled }) => unsettled === 0)
  }

  /** The oldest segments, as far as all in them is settled: their files have done their service. */
  takeSpent(): SegmentFile[] {
    const spent: SegmentFile[] = []
    for (const [index, { isRead, unsettled }] of this.#segments) {
      if (!isRead || unsettled > 0) break
      spent.push({ numbering: this.name, index, isOpen: false })
    }
    for (const { index } of spent) this.#segments.delete(index)
    return spent
  }

  async close(): Promise<void> {
    const handle = this.#place?.handle
    this.#place = undefined
    await handle?.close()
  }

  async #enter(file: SegmentFile): Promise<boolean> {
    const handle = await this.#openSegment(file.index)
    if (handle === undefined) return false
    const header = decodeSegmentHeader(await readChunk(handle, 0, MAX_HEADER_BYTES))
    if (header === undefined) {
      await handle.close()
      return false
    }
    const { headerBytes, highWaterSeq } = header
    const totals = { ...header.totals }
    const left = this.#place
    if (left !== undefined) {
      this.#noteLoss(left, header)
      left.segment.isRead = true
      await left.handle.close()
    }
    this.#seenSeq = Math.max(this.#seenSeq, highWaterSeq)
    this.#header ??= header
    const segment = this.#segments.get(file.index) ?? { index: file.index, unsettled: 0, isRead: false }
    this.#segments.set(file.index, segment)
    this.#place = { segment, handle, offset: headerBytes, chainSeq: highWaterSeq, totals, lastRecordBytes: 0 }
    this.#isAtEnd = false
    return true
  }

  /** The successor says what the segment held; what could not be found in it is lost. */
  #noteLoss({ chainSeq, totals }: Place, successor: SegmentHeader): void {
    const { highWaterSeq } = successor
    if (highWaterSeq <= Math.max(chainSeq, this.#lossSeq)) return
    const lost = {
      entries: successor.totals.entries - totals.entries,
      samples: successor.totals.samples - totals.samples,
      bytes: successor.totals.bytes - totals.bytes,
    }
    this.#losses.push({ firstSeq: chainSeq + 1, lastSeq: highWaterSeq, priority: undefined, ...lost })
  }

  /** Reads the next few headers. @returns whether there were any */
  async #readSome(place: Place): Promise<boolean> {
    const { size } = fstatSync(place.handle.fd)
    if (size <= place.offset) return false
    const length = place.lastRecordBytes > LARGE_RECORD_BYTES ? SPARSE_CHUNK_BYTES : CHUNK_BYTES
    const chunk = await readChunk(place.handle, place.offset, length)
    const from = place.offset
    for (let at = 0; at < chunk.length; at = place.offset - from) {
      const record = decodeRecordHeader(chunk, at)
      if (record === undefined) break
      const bytes = record.headerBytes + record.bodyBytes
      if (place.offset + bytes > size) break
      if (record.seq === this.#suspectSeq && !(await this.#admitSuspect(place, record))) return false
      this.#admit(place, record)
      place.offset += bytes
      place.lastRecordBytes = bytes
    }
    return place.offset > from
  }

  #admit(place: Place, record: RecordHeader): void {
    if (record.after !== place.chainSeq) return
    place.chainSeq = record.seq
    addTotals(place.totals, record)
    if (record.seq <= this.#seenSeq) return
    this.#seenSeq = record.seq
    this.windows[record.priority].add({ record, segment: place.segment, offset: place.offset })
  }

  /** @returns whether to read on: the body is whole after all, or will never be */
  async #admitSuspect(place: Place, record: RecordHeader): Promise<boolean> {
    const body = await readBody(place.handle, { record, segment: place.segment, offset: place.offset })
    if (body === undefined) {
      const next = this.#files.find(({ index }) => index > place.segment.index)
      if (next === undefined) return false // the writer is not done with it
      const handle = await this.#openSegment(next.index)
      const successor = handle && decodeSegmentHeader(await readChunk(handle, 0, MAX_HEADER_BYTES))
      await handle?.close()
      if (successor === undefined || successor.highWaterSeq < record.seq) return false // void
      const { seq, priority, samples, bodyBytes } = record
      this.#losses.push({ firstSeq: seq, lastSeq: seq, priority, entries: 1, samples, bytes: bodyBytes })
      this.#seenSeq = seq
    }
    this.#suspectSeq = undefined
    return true
  }

  async #openSegment(index: number): Promise<FileHandle | undefined> {
    const listed = this.#files.find((file) => file.index === index)?.isOpen ?? true
    for (const isOpen of [listed, !listed]) {
      try {
        return await open(segmentPath(this.#folder, { numbering: this.name, index, isOpen }), 'r')
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    }
    return undefined
  }
}

async function readChunk(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(length), 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

async function readBody(handle: FileHandle, ref: RecordRef): Promise<Uint8Array | undefined> {
  return (await readStretch(handle, [ref]))[0]
}

/** Bodies of records that follow one another, read in one call. */
async function readStretch(
  handle: FileHandle | undefined,
  refs: readonly RecordRef[],
): Promise<(Uint8Array | undefined)[]> {
  const bodies = refs.map(({ record }) => new Uint8Array(record.bodyBytes))
  const parts = refs.flatMap(({ record }, i) => [new Uint8Array(record.headerBytes), bodies[i]])
  await handle?.readv(parts, refs[0].offset)
  return refs.map(({ record }, i) => (isBodyWhole(record, bodies[i]) ? bodies[i] : undefined))
}

function isFollowedBy(ref: RecordRef, next: RecordRef): boolean {
  const { headerBytes, bodyBytes } = ref.record
  return next.segment === ref.segment && next.offset === ref.offset + headerBytes + bodyBytes
}
