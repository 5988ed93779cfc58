import { closeSync, fdatasync, fdatasyncSync, ftruncateSync, openSync, rmSync, writevSync } from 'node:fs'
import type { Clock } from '#core/time/clock'
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, SEGMENT_VERSION } from './record-format.js'
import { segmentPath } from './spool-files.js'

/** Wall clocks that say less have not been set yet. */
const CLOCK_SET_US = Date.UTC(2020, 0) * 1000

/** What is known of one segment file. */
export class Segment {
  readonly number: number
  readonly path: string
  /** Bytes that count; the file may have more, of a write that failed. */
  size = SEGMENT_HEADER_BYTES
  /** Where the next record to be taken begins. */
  readAt = SEGMENT_HEADER_BYTES
  unreadSamples = 0
  unreadBatches = 0
  /** By shard. */
  readonly unread: Uint32Array
  /** When its first and last record were spooled; wall time, microseconds. */
  firstAtUs = 0
  lastAtUs = 0
  /** Monotonic time of the last record, or of its discovery, milliseconds. */
  lastAtMs = 0
  /** Records that are taken and not acknowledged. */
  taken = 0
  /** Offsets of damage that is counted already. */
  readonly damagedAt = new Set<number>()

  constructor(directory: string, number: number, shards: number) {
    this.number = number
    this.path = segmentPath(directory, number)
    this.unread = new Uint32Array(shards)
  }

  get isRead(): boolean {
    return this.readAt >= this.size
  }

  /** Time since its last record, as far as the clocks can tell. @param epoch of this run, microseconds */
  ageMs(clock: Clock, epoch: number): number {
    const { lastAtUs, lastAtMs } = this
    const sinceMs = clock.monotonicMs() - lastAtMs
    // Of this run, or of a time when the clock was not set: the wall clock may have been set since.
    if (lastAtUs >= epoch || lastAtUs < CLOCK_SET_US) return sinceMs
    return Math.max(sinceMs, (clock.nowUs() - lastAtUs) / 1000)
  }

  /** A record is there to be taken, or is so again. @param sign 1, or -1 when it was taken */
  count({ shard, samples }: { shard: number; samples: number }, sign: 1 | -1): void {
    this.unread[shard] += sign
    this.unreadBatches += sign
    this.unreadSamples += sign * samples
  }

  /** Forgets what is unread. @returns how many samples that is */
  giveUp(): number {
    const samples = this.unreadSamples
    this.unreadSamples = 0
    this.unreadBatches = 0
    this.unread.fill(0)
    this.readAt = this.size
    return samples
  }

  delete(): void {
    rmSync(this.path, { force: true })
  }
}

/** The segment that is written to. */
export class SegmentWriter {
  readonly segment: Segment
  readonly #fd: number
  readonly #createdAtMs: number
  #isDirty = false
  #isSyncing = false
  #isClosed = false

  /** @throws errors of the file system */
  constructor(segment: Segment, shards: number, createdAtUs: number, nowMs: number) {
    this.segment = segment
    this.#createdAtMs = nowMs
    this.#fd = openSync(segment.path, 'wx', 0o640)
    try {
      const header = { version: SEGMENT_VERSION, shards, number: segment.number, createdAtUs }
      writeAll(this.#fd, [encodeSegmentHeader(header)])
    } catch (error) {
      closeSync(this.#fd)
      segment.delete()
      throw error
    }
  }

  ageMs(nowMs: number): number {
    return nowMs - this.#createdAtMs
  }

  /** All or nothing. @throws errors of the file system */
  write(buffers: readonly Uint8Array[]): void {
    try {
      this.segment.size += writeAll(this.#fd, buffers)
      this.#isDirty = true
    } catch (error) {
      try {
        ftruncateSync(this.#fd, this.segment.size)
      } catch {
        // What is behind `size` is never read, and found to be cut off by the next run.
      }
      throw error
    }
  }

  /** Has written data on the disk, in the background. @param onEnd hears how long it took */
  sync(onEnd: (durationMs: number) => void): void {
    if (!this.#isDirty || this.#isSyncing || this.#isClosed) return
    this.#sync(onEnd)
  }

  /** @throws errors of the file system */
  syncNow(): void {
    if (!this.#isDirty) return
    fdatasyncSync(this.#fd)
    this.#isDirty = false
  }

  /** Nothing is written any more: has the rest on the disk in the background, and lets go of the file. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#letGo()
  }

  #letGo(): void {
    if (this.#isSyncing) return
    if (this.#isDirty) this.#sync(() => {})
    else closeSync(this.#fd)
  }

  #sync(onEnd: (durationMs: number) => void): void {
    this.#isDirty = false
    this.#isSyncing = true
    const startedMs = performance.now()
    fdatasync(this.#fd, (error) => {
      this.#isSyncing = false
      onEnd(performance.now() - startedMs)
      if (error && !this.#isClosed) this.#isDirty = true
      if (this.#isClosed) this.#letGo()
    })
  }
}

/** @returns bytes written: all */
function writeAll(fd: number, buffers: readonly Uint8Array[]): number {
  const length = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
  let left = buffers.map((bytes) => bytes)
  for (let written = 0; written < length; ) {
    const count = writevSync(fd, left)
    if (count === 0) throw new Error('the file takes no more bytes')
    written += count
    left = behind(left, count)
  }
  return length
}

function behind(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes
  return buffers.flatMap((buffer) => {
    const from = Math.min(skip, buffer.byteLength)
    skip -= from
    return from < buffer.byteLength ? [buffer.subarray(from)] : []
  })
}
