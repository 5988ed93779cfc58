/**
 * What the encoder and the decoder of batches agree on; `docs/protocol.md` has the layout field by field.
 *
 * A batch is one msgpack array. Names are strings, numbers are numbers, and columns are binary strings of little-endian
 * numbers, so that a column is a view or a copy and never a loop over msgpack items.
 */
import { TelemetryError } from '../errors/telemetry-error.js'

/** The version that is written. Readers read this one and, once it is 2 or more, the one before it. */
export const BATCH_VERSION = 1

/** Bound of samples in one batch, and so of its dictionary: series indices fit 16 bits. */
export const MAX_BATCH_SAMPLES = 65_536

/** Names in characters (UTF-16 code units), see the model. */
export const MAX_PRODUCER_CHARACTERS = 128
export const MAX_DEVICE_CHARACTERS = 128
export const MAX_CHANNEL_CHARACTERS = 64
export const MAX_UNIT_CHARACTERS = 32

/** Elements of the outer array, and of the arrays that group a column's parts. */
export const BATCH_FIELDS = 14
export const READINGS_FIELDS = 2
export const TIMES_FIELDS = 3
export const SEQUENCES_FIELDS = 3
export const QUALITIES_FIELDS = 2
export const RAW_FIELDS = 2
export const DICTIONARY_FIELDS = 3

/** Up to so many series an index takes one byte, beyond it two. */
export const MAX_BYTE_SERIES = 256
/** Up to so many samples in every reading a length takes one byte, beyond it two. */
export const MAX_BYTE_LENGTH = 256

/** Bytes per number of a column; a column of width 0 is empty: all its numbers are equal. */
export type ColumnWidth = 0 | 1 | 2 | 4 | 8

/** The narrowest width for numbers 0..range; 8 stands for "kept whole" and is the answer for ranges beyond 32 bits. */
export function widthOfRange(range: number): ColumnWidth {
  if (range === 0) return 0
  if (range <= 0xff) return 1
  if (range <= 0xffff) return 2
  return range <= 0xffff_ffff ? 4 : 8
}

/** Qualities are 0..7; a further one needs a new version, for readers index tables by it. */
export const MAX_QUALITY = 7
/** A run of equal quality: the quality, and its length less 1 in 16 bits. */
export const QUALITY_RUN_BYTES = 3

/**
 * Bytes of an encoded batch that are always the same, the producer's name and the values with their padding left out:
 * the encoder writes the widest msgpack form where a number or a length is not known beforehand, so that the size of a
 * batch is a sum.
 */
export const FIXED_BYTES = 102
/** Marker and length of the padding, then of the values. */
export const VALUES_PREFIX_BYTES = 2 + 5
/** A raw entry without its bytes: array of 2, sample u32, binary with 16-bit length. */
export const RAW_ENTRY_BYTES = 1 + 5 + 3

/** How an unreadable batch is told apart in `details.class`: a program of another version wrote it, or it is damaged. */
export type UnreadableClass = 'unknown-version' | 'malformed'

/** @param offset where in the body it was found */
export function malformedBatch(problem: string, offset?: number): TelemetryError {
  const where = offset === undefined ? '' : ` at byte ${offset}`
  const unreadable: UnreadableClass = 'malformed'
  return new TelemetryError('TLM_BATCH_UNREADABLE', `Batch: ${problem}${where}.`, { class: unreadable, offset })
}

export function unknownBatchVersion(version: number): TelemetryError {
  const unreadable: UnreadableClass = 'unknown-version'
  return new TelemetryError(
    'TLM_BATCH_UNREADABLE',
    `Batch: format version ${version}, this program reads version ${BATCH_VERSION}; ` +
      'let a processor of the release that wrote it read it, then replay the dead letter.',
    { class: unreadable, version },
  )
}

/**
 * Columns are little-endian on the wire and the programs copy them as they are.
 *
 * @throws TLM_INVARIANT_BROKEN the host is big-endian (no system that Node publishes builds for but s390x)
 */
export function requireLittleEndianHost(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
    throw new TelemetryError(
      'TLM_INVARIANT_BROKEN',
      'Batch: this host is big-endian, which the codec does not support.',
    )
  }
}
