/**
 * Bytes of a log segment: a header, then records one after another, little endian.
 *
 * ```text
 * segment header
 *    0  magic u32 "TLMS" | 4 crc u32 of all that follows | 8 version u16, headerBytes u16 | 12 shard u32
 *   16  epoch f64 | 24 highWaterSeq f64 | 32 entries f64 | 40 samples f64 | 48 bytes f64 | 56 producer, UTF-8
 * record
 *    0  magic u32 "TLMB" | 4 crc u32 of the rest of the header | 8 headerBytes u16, priority u8, 0 u8 | 12 bodyBytes u32
 *   16  bodyCrc u32 | 20 samples u32 | 24 seq f64 | 32 after f64 | 40 firstTakenAtUs f64 | 48 storedAtUs f64
 *   56  handler, UTF-8; then the body
 * ```
 * A segment's header carries what its numbering held before it: the high water and the totals.
 *
 * A record counts when its checksums are right and its `after` is the `seq` of the record that counted before it (at
 * first: the header's high water). All others are void. Writer and readers judge alike, so a record that was cut off,
 * or written by two at once, is void for everybody.
 */
import { crc32 } from 'node:zlib'
import type { BatchHeader } from '#core/model/batch'
import type { Priority } from '#core/model/priority'
import type { SealedBatch } from '#core/transport/batch-stream'

const SEGMENT_MAGIC = 0x534d_4c54
const RECORD_MAGIC = 0x424d_4c54
const VERSION = 1
const FIXED_BYTES = 56

/** More than any name or handler the contract allows needs. */
export const MAX_HEADER_BYTES = 1024
/** Largest body that the store takes. */
export const MAX_BODY_BYTES = 16 * 2 ** 20

/** How much a numbering has ever held. */
export interface Totals {
  entries: number
  samples: number
  bytes: number
}

/** One numbering: all batches of one producer and epoch on one shard. */
export type Numbering = Pick<BatchHeader, 'producer' | 'epoch'> & { shard: number }

export interface SegmentHeader extends Numbering {
  /** Where the first record begins. */
  headerBytes: number
  /** High water of the numbering when the segment began: records of earlier segments beyond it are void. */
  highWaterSeq: number
  /** Of all earlier segments. */
  totals: Totals
}

export interface RecordHeader {
  headerBytes: number
  bodyBytes: number
  bodyCrc: number
  priority: Priority
  seq: number
  after: number
  samples: number
  firstTakenAtUs: number
  storedAtUs: number
  handler: string
}

export function encodeSegmentHeader(header: Omit<SegmentHeader, 'headerBytes'>): Buffer {
  const producer = Buffer.from(header.producer)
  const bytes = Buffer.alloc(FIXED_BYTES + producer.length)
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0)
  bytes.writeUInt16LE(VERSION, 8)
  bytes.writeUInt16LE(bytes.length, 10)
  bytes.writeUInt32LE(header.shard, 12)
  bytes.writeDoubleLE(header.epoch, 16)
  bytes.writeDoubleLE(header.highWaterSeq, 24)
  bytes.writeDoubleLE(header.totals.entries, 32)
  bytes.writeDoubleLE(header.totals.samples, 40)
  bytes.writeDoubleLE(header.totals.bytes, 48)
  producer.copy(bytes, FIXED_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** `undefined` when `bytes` do not begin with a segment header of this version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (!beginsWithHeader(bytes, 0, SEGMENT_MAGIC, 10)) return undefined
  if (bytes.readUInt16LE(8) !== VERSION) return undefined
  const headerBytes = bytes.readUInt16LE(10)
  return {
    headerBytes,
    shard: bytes.readUInt32LE(12),
    epoch: bytes.readDoubleLE(16),
    highWaterSeq: bytes.readDoubleLE(24),
    totals: { entries: bytes.readDoubleLE(32), samples: bytes.readDoubleLE(40), bytes: bytes.readDoubleLE(48) },
    producer: bytes.toString('utf8', FIXED_BYTES, headerBytes),
  }
}

/** The record's header; the body goes behind it as it is. */
export function encodeRecordHeader(batch: SealedBatch, storedAtUs: number): Buffer {
  const handler = Buffer.from(batch.handler)
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + handler.length)
  bytes.writeUInt32LE(RECORD_MAGIC, 0)
  bytes.writeUInt16LE(bytes.length, 8)
  bytes[10] = batch.priority
  bytes[11] = 0
  bytes.writeUInt32LE(batch.body.byteLength, 12)
  bytes.writeUInt32LE(crc32(batch.body), 16)
  bytes.writeUInt32LE(batch.samples, 20)
  bytes.writeDoubleLE(batch.seq, 24)
  bytes.writeDoubleLE(batch.after ?? batch.seq - 1, 32)
  bytes.writeDoubleLE(batch.firstTakenAtUs, 40)
  bytes.writeDoubleLE(storedAtUs, 48)
  handler.copy(bytes, FIXED_BYTES)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** The record header at `at`; `undefined` when there is none, or not all of it. The body is not looked at. */
export function decodeRecordHeader(bytes: Buffer, at: number): RecordHeader | undefined {
  if (!beginsWithHeader(bytes, at, RECORD_MAGIC, 8)) return undefined
  const headerBytes = bytes.readUInt16LE(at + 8)
  return {
    headerBytes,
    priority: bytes[at + 10] as Priority,
    bodyBytes: bytes.readUInt32LE(at + 12),
    bodyCrc: bytes.readUInt32LE(at + 16),
    samples: bytes.readUInt32LE(at + 20),
    seq: bytes.readDoubleLE(at + 24),
    after: bytes.readDoubleLE(at + 32),
    firstTakenAtUs: bytes.readDoubleLE(at + 40),
    storedAtUs: bytes.readDoubleLE(at + 48),
    handler: bytes.toString('utf8', at + FIXED_BYTES, at + headerBytes),
  }
}

/** Whether a body is the one that its record was written with. */
export function isBodyWhole(record: RecordHeader, body: Uint8Array): boolean {
  return body.byteLength === record.bodyBytes && crc32(body) === record.bodyCrc
}

/** What counts in a stretch of a segment, judged with the bodies. */
export interface Extent {
  /** Where the last record that is whole ends. */
  end: number
  highWaterSeq: number
  totals: Totals
}

/**
 * Follows the records of `bytes` as far as they are whole.
 *
 * @param from what is known up to where `bytes` begin
 */
export function followRecords(bytes: Buffer, from: Extent): Extent {
  const totals = { ...from.totals }
  let highWaterSeq = from.highWaterSeq
  let at = 0
  for (;;) {
    const record = decodeRecordHeader(bytes, at)
    if (record === undefined) break
    const end = at + record.headerBytes + record.bodyBytes
    if (!isBodyWhole(record, bytes.subarray(at + record.headerBytes, end))) break
    if (record.after === highWaterSeq) {
      highWaterSeq = record.seq
      addTotals(totals, record)
    }
    at = end
  }
  return { end: from.end + at, highWaterSeq, totals }
}

export function addTotals(totals: Totals, { samples, bodyBytes }: { samples: number; bodyBytes: number }): void {
  totals.entries++
  totals.samples += samples
  totals.bytes += bodyBytes
}

function beginsWithHeader(bytes: Buffer, at: number, magic: number, lengthAt: number): boolean {
  if (bytes.length < at + FIXED_BYTES || bytes.readUInt32LE(at) !== magic) return false
  const headerBytes = bytes.readUInt16LE(at + lengthAt)
  if (headerBytes < FIXED_BYTES || headerBytes > MAX_HEADER_BYTES || bytes.length < at + headerBytes) return false
  return crc32(bytes.subarray(at + 8, at + headerBytes)) === bytes.readUInt32LE(at + 4)
}
