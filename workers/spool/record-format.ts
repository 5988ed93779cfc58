/**
 * Bytes of a spool segment: a header, then records one after another, little endian.
 *
 * ```text
 * segment header, 32 bytes
 *    0  magic u32 "TLSP" | 4 crc u32 of all that follows | 8 version u16, 0 u16 | 12 shards u32
 *   16  number f64 | 24 createdAtUs f64
 * record
 *    0  magic u32 "TLSB" | 4 crc u32 of the rest of the header | 8 headerBytes u16, priority u8, shard u8
 *   12  bodyBytes u32 | 16 bodyCrc u32 | 20 samples u32 | 24 epoch f64 | 32 seq f64 | 40 firstTakenAtUs f64
 *   48  spooledAtUs f64 | 56 producerBytes u16, handlerBytes u16 | 60 producer, handler, UTF-8; then the body
 * ```
 * A record counts when both checksums are right. What lies between records that count is damaged; after damage reading
 * goes on at the next record header whose checksum is right.
 */
import { crc32 } from 'node:zlib'
import type { Priority } from '#core/model/priority'
import type { SealedBatch } from '#core/transport/batch-stream'

export const SEGMENT_VERSION = 1
export const SEGMENT_HEADER_BYTES = 32
const SEGMENT_MAGIC = 0x5053_4c54
const RECORD_MAGIC = 0x4253_4c54
const RECORD_MAGIC_BYTES = Buffer.from('TLSB')
const FIXED_BYTES = 60
/** More than any producer and handler that the contract allows needs. */
const MAX_HEADER_BYTES = 2048

export interface SegmentHeader {
  version: number
  shards: number
  number: number
  createdAtUs: number
}

/** A stretch of a segment. */
export type Piece =
  /** `batch.body` is a view of the bytes that were read. */
  | { kind: 'record'; batch: SealedBatch; spooledAtUs: number; at: number; end: number }
  /** `samples` when a header tells; damage without a header may be of any number of records. */
  | { kind: 'damage'; samples: number; at: number; end: number }

interface RecordHeader {
  batch: Omit<SealedBatch, 'body'>
  spooledAtUs: number
  headerBytes: number
  bodyBytes: number
  bodyCrc: number
}

export function encodeSegmentHeader({ version, shards, number, createdAtUs }: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES)
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0)
  bytes.writeUInt16LE(version, 8)
  bytes.writeUInt32LE(shards, 12)
  bytes.writeDoubleLE(number, 16)
  bytes.writeDoubleLE(createdAtUs, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** `undefined` when the bytes do not begin with a segment header. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.readUInt32LE(0) !== SEGMENT_MAGIC) return undefined
  if (crc32(bytes.subarray(8, SEGMENT_HEADER_BYTES)) !== bytes.readUInt32LE(4)) return undefined
  return {
    version: bytes.readUInt16LE(8),
    shards: bytes.readUInt32LE(12),
    number: bytes.readDoubleLE(16),
    createdAtUs: bytes.readDoubleLE(24),
  }
}

/** The record's header; the body goes behind it as it is. */
export function encodeRecordHeader(batch: SealedBatch, spooledAtUs: number): Buffer {
  const producer = Buffer.from(batch.producer)
  const handler = Buffer.from(batch.handler)
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + producer.length + handler.length)
  bytes.writeUInt32LE(RECORD_MAGIC, 0)
  bytes.writeUInt16LE(bytes.length, 8)
  bytes[10] = batch.priority
  bytes[11] = batch.shard
  bytes.writeUInt32LE(batch.body.byteLength, 12)
  bytes.writeUInt32LE(crc32(batch.body), 16)
  bytes.writeUInt32LE(batch.samples, 20)
  bytes.writeDoubleLE(batch.epoch, 24)
  bytes.writeDoubleLE(batch.seq, 32)
  bytes.writeDoubleLE(batch.firstTakenAtUs, 40)
  bytes.writeDoubleLE(spooledAtUs, 48)
  bytes.writeUInt16LE(producer.length, 56)
  bytes.writeUInt16LE(handler.length, 58)
  producer.copy(bytes, FIXED_BYTES)
  handler.copy(bytes, FIXED_BYTES + producer.length)
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** Bytes that the batch takes in a segment, but for names outside ASCII. */
export function recordBytes({ producer, handler, body }: SealedBatch): number {
  return FIXED_BYTES + producer.length + handler.length + body.byteLength
}

/** Bytes that the record at `at` has by its header, whether or not all of them are there; `undefined`: no header. */
export function recordLength(bytes: Buffer, at: number): number | undefined {
  const header = decodeRecordHeader(bytes, at)
  return header && header.headerBytes + header.bodyBytes
}

/** Follows a segment from `at`, which is behind its header, to the end of `bytes`. */
export function* readPieces(bytes: Buffer, at: number): Generator<Piece> {
  while (at < bytes.length) {
    const header = decodeRecordHeader(bytes, at)
    if (header === undefined) {
      const end = nextHeader(bytes, at + 1)
      yield { kind: 'damage', samples: 0, at, end }
      at = end
      continue
    }
    const bodyAt = at + header.headerBytes
    const body = bytes.subarray(bodyAt, bodyAt + header.bodyBytes)
    if (body.byteLength === header.bodyBytes && crc32(body) === header.bodyCrc) {
      const end = bodyAt + header.bodyBytes
      yield { kind: 'record', batch: { ...header.batch, body }, spooledAtUs: header.spooledAtUs, at, end }
      at = end
    } else {
      // A record that was cut off may have others behind it, where its body would be.
      const end = Math.min(nextHeader(bytes, bodyAt), bodyAt + header.bodyBytes, bytes.length)
      yield { kind: 'damage', samples: header.batch.samples, at, end }
      at = end
    }
  }
}

function nextHeader(bytes: Buffer, from: number): number {
  for (let at = bytes.indexOf(RECORD_MAGIC_BYTES, from); at >= 0; at = bytes.indexOf(RECORD_MAGIC_BYTES, at + 1)) {
    if (decodeRecordHeader(bytes, at) !== undefined) return at
  }
  return bytes.length
}

function decodeRecordHeader(bytes: Buffer, at: number): RecordHeader | undefined {
  if (bytes.length < at + FIXED_BYTES || bytes.readUInt32LE(at) !== RECORD_MAGIC) return undefined
  const headerBytes = bytes.readUInt16LE(at + 8)
  const producerBytes = bytes.readUInt16LE(at + 56)
  const handlerBytes = bytes.readUInt16LE(at + 58)
  if (headerBytes !== FIXED_BYTES + producerBytes + handlerBytes || headerBytes > MAX_HEADER_BYTES) return undefined
  if (bytes.length < at + headerBytes) return undefined
  if (crc32(bytes.subarray(at + 8, at + headerBytes)) !== bytes.readUInt32LE(at + 4)) return undefined
  const namesAt = at + FIXED_BYTES
  return {
    batch: {
      producer: bytes.toString('utf8', namesAt, namesAt + producerBytes),
      epoch: bytes.readDoubleLE(at + 24),
      seq: bytes.readDoubleLE(at + 32),
      shard: bytes[at + 11],
      priority: bytes[at + 10] as Priority,
      handler: bytes.toString('utf8', namesAt + producerBytes, namesAt + producerBytes + handlerBytes),
      samples: bytes.readUInt32LE(at + 20),
      firstTakenAtUs: bytes.readDoubleLE(at + 40),
    },
    spooledAtUs: bytes.readDoubleLE(at + 48),
    headerBytes,
    bodyBytes: bytes.readUInt32LE(at + 12),
    bodyCrc: bytes.readUInt32LE(at + 16),
  }
}
