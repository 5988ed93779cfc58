import type { Clock } from '#core/time/clock'
import { SEGMENT_HEADER_BYTES } from './record-format.js'
import { Segment, SegmentWriter } from './segment.js'

export interface SegmentLogOptions {
  directory: string
  shards: number
  /** A segment that has so many bytes is followed by the next, */
  segmentBytes: number
  /** or one of that age. */
  segmentAgeMs: number
  /** 0: every write waits for the disk. */
  fsyncMs: number
  clock: Clock
  /** Of the segment that is begun first. */
  nextNumber: number
  /** Hears how long each flush to the disk took. */
  onSync: (durationMs: number) => void
}

/** The end of a spool that is written to: one segment after the other. Thread: its spool's. */
export class SegmentLog {
  readonly #options: SegmentLogOptions
  #writer: SegmentWriter | undefined
  #nextNumber: number

  constructor(options: SegmentLogOptions) {
    this.#options = options
    this.#nextNumber = options.nextNumber
  }

  isWriting(segment: Segment): boolean {
    return this.#writer?.segment === segment
  }

  /**
   * Writes all of it, or nothing; after a failure the next write begins another segment.
   *
   * @returns the segment, which may be new
   * @throws errors of the file system
   */
  write(buffers: readonly Uint8Array[], bytes: number): Segment {
    try {
      const writer = this.#writerFor(bytes)
      writer.write(buffers)
      if (this.#options.fsyncMs === 0) writer.syncNow()
      return writer.segment
    } catch (error) {
      const segment = this.#writer?.segment
      this.end()
      // Nothing of an empty segment is in anybody's books.
      if (segment?.size === SEGMENT_HEADER_BYTES) segment.delete()
      throw error
    }
  }

  /** Ends the segment that is written to; its file is flushed and closed in the background. */
  end(): void {
    this.#writer?.close()
    this.#writer = undefined
  }

  sync(): void {
    this.#writer?.sync(this.#options.onSync)
  }

  /** @throws errors of the file system */
  syncNow(): void {
    this.#writer?.syncNow()
  }

  #writerFor(bytes: number): SegmentWriter {
    const { clock, directory, shards, segmentBytes, segmentAgeMs } = this.#options
    const nowMs = clock.monotonicMs()
    const writer = this.#writer
    if (writer !== undefined && (writer.segment.size + bytes > segmentBytes || writer.ageMs(nowMs) > segmentAgeMs)) {
      this.end()
    }
    if (this.#writer === undefined) {
      const segment = new Segment(directory, this.#nextNumber, shards)
      this.#nextNumber++
      this.#writer = new SegmentWriter(segment, shards, clock.nowUs(), nowMs)
    }
    return this.#writer
  }
}
