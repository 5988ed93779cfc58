import { closeSync, openSync, readSync } from 'node:fs'
import type { SealedBatch } from '#core/transport/batch-stream'
import { type Piece, readPieces } from './record-format.js'
import type { Segment } from './segment.js'
import type { Quarantine } from './spool-files.js'

/** Bytes that are read at once; more for a record that is larger. */
const READ_BYTES = 2 ** 20

/** A batch as the spool has it. */
export type SpooledBatch = SealedBatch & {
  segment: Segment
  /** Where its record is in the segment. */
  at: number
  end: number
  spooledAtUs: number
}

/** Reads segments piece by piece. Thread: its spool's. */
export class SegmentReader {
  readonly #shards: number
  readonly #quarantine: Quarantine
  #bytes: Buffer = Buffer.alloc(0)
  #segment: Segment | undefined
  /** Where `#bytes` begins in the segment. */
  #from = 0
  /** The file had fewer bytes than it should have. */
  #isShort = false
  #next: SpooledBatch | undefined

  constructor(shards: number, quarantine: Quarantine) {
    this.#shards = shards
    this.#quarantine = quarantine
  }

  /**
   * The next batch of the segment; damage before it is skipped, told and kept for a look.
   *
   * @returns `undefined` at the end; then `readAt` is there too
   */
  peek(segment: Segment, onDamage: (at: number) => void): SpooledBatch | undefined {
    if (this.#next?.segment === segment && this.#next.at === segment.readAt) return this.#next
    this.#next = undefined
    let wanted = READ_BYTES
    while (!segment.isRead) {
      const piece = this.#piece(segment, wanted)
      if (piece === undefined) break
      const isCut =
        piece.kind === 'damage' && piece.end === this.#bytes.length && !this.#isShort && this.#end < segment.size
      if (isCut) {
        // More bytes may make a record of it.
        if (piece.at === 0) wanted = this.#bytes.length * 2
        this.#read(segment, wanted)
        continue
      }
      const [at, end] = [this.#from + piece.at, this.#from + piece.end]
      if (piece.kind === 'record' && piece.batch.shard < this.#shards) {
        this.#next = { ...piece.batch, spooledAtUs: piece.spooledAtUs, segment, at, end }
        return this.#next
      }
      if (!segment.damagedAt.has(at))
        this.#quarantine.keep(`${segment.number}-${at}.bin`, this.#bytes.subarray(piece.at, piece.end))
      onDamage(at)
      segment.readAt = end
    }
    segment.readAt = segment.size
    return undefined
  }

  /** Goes on behind a batch that {@link peek} gave. */
  advance(segment: Segment, { end }: SpooledBatch): void {
    segment.readAt = end
    this.#next = undefined
  }

  /** The segment's file is going to be deleted. */
  forget(segment: Segment): void {
    if (this.#segment !== segment) return
    this.#segment = undefined
    this.#next = undefined
    this.#bytes = Buffer.alloc(0)
  }

  get #end(): number {
    return this.#from + this.#bytes.length
  }

  #piece(segment: Segment, wanted: number): Piece | undefined {
    const { readAt } = segment
    if (this.#segment !== segment || readAt < this.#from || readAt >= this.#end) this.#read(segment, wanted)
    const first = readPieces(this.#bytes, readAt - this.#from).next()
    return first.done === true ? undefined : first.value
  }

  /** Another buffer each time: batches that were taken are views of the one before. */
  #read(segment: Segment, wanted: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.min(wanted, segment.size - segment.readAt))
    this.#segment = segment
    this.#from = segment.readAt
    this.#bytes = bytes.subarray(0, readAt(segment, bytes))
    this.#isShort = this.#bytes.length < bytes.length
  }
}

/** @returns bytes read; 0 when the file cannot be read: then all of it counts as damaged */
function readAt(segment: Segment, bytes: Buffer): number {
  let fd: number | undefined
  try {
    fd = openSync(segment.path, 'r')
    let length = 0
    while (length < bytes.length) {
      const count = readSync(fd, bytes, length, bytes.length - length, segment.readAt + length)
      if (count === 0) break
      length += count
    }
    return length
  } catch {
    return 0
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}
