/**
 * Byte map of the seal journal: what a drain worker has cut out of its ring and not yet settled, in shared memory that
 * outlives the worker.
 *
 * ```text
 *     0  magic u32 | version u32 | shards u32 | entries u32                   written once by createSealJournal
 *   128  SEALED u32    chunks ever sealed     written by the worker
 *   256  SETTLED u32   chunks ever settled    written by the worker
 *   384  totals for an even and for an odd SETTLED, 16 x i64 each
 *   640  entries: one per unsettled chunk and one for the last settled; that of chunk n lies at n mod entries
 *          first u32 | samples u32 | batches u32 | reason u32 | wallOffsetUs f64, then f64 per shard, five times:
 *          seqAfter | after, lost, base (only where the store went back, `after` is NaN elsewhere) | deliveredAfter
 *   ...  per shard f64[4096]: samples delivered up to batch seq, at seq mod 4096
 * ```
 * SEALED and SETTLED count up and wrap at 2^32; compare them by difference only.
 *
 * Order (one worker at a time writes; the hub's main thread only reads):
 * - J1 entry before SEALED: plain writes, then the store. A successor loads SEALED, then reads the entries below it.
 * - J2 history and the totals of the other parity before SETTLED. Whoever loads SETTLED reads totals that stay until
 *   SETTLED moves on twice; a reader looks at SETTLED again afterwards.
 * - J3 SETTLED before the ring's CONSUMED (R3 in ring/layout): a successor that finds the ring behind releases the rest.
 */
import { TelemetryError } from '../errors/telemetry-error.js'

const MAGIC = 0x544c_4d4a // "TLMJ"
const VERSION = 2
const TOTALS_AT = 384
const ENTRIES_AT = 640
const HEAD_BYTES = 24
const MAX_SHARDS = 64
const MAX_IN_FLIGHT = 64

/** Control words, as indices into {@link JournalViews.control}. */
export const SEALED = 32
export const SETTLED = 64
/** 64-bit words of one set of totals. */
export const TOTALS_WORDS = 16
/** Batches per shard whose sizes are known after they were settled. */
export const HISTORY = 4096

/** Words of an entry's head. */
export const FIRST = 0
export const SAMPLES = 1
export const BATCHES = 2
export const REASON = 3

export interface JournalOptions {
  /** Shards of the stream, 1..64. */
  shards: number
  /** Chunks that may be sealed and not settled, 1..64. */
  maxInFlight: number
  /** Index of the ring's first slot, u32; lets tests start close to a wrap. Default 0. */
  startIndex?: number
  /** Number of the first chunk, u32; as above. Default 0. */
  startChunk?: number
}

/** One entry, mapped. */
export interface EntryViews {
  readonly head: Int32Array
  /** One number: what was added to stamps in hub time; 0: nothing. */
  readonly wallOffsetUs: Float64Array
  readonly seqAfter: Float64Array
  readonly after: Float64Array
  readonly lost: Float64Array
  readonly base: Float64Array
  readonly deliveredAfter: Float64Array
}

/** The parts of one journal, as every thread sees them. */
export interface JournalViews {
  readonly control: Int32Array
  readonly totals: BigInt64Array
  readonly shards: number
  readonly entries: readonly EntryViews[]
  /** By shard. */
  readonly history: readonly Float64Array[]
}

/**
 * Allocates a journal in which nothing was sealed yet.
 *
 * @throws TLM_OPTIONS_INVALID a number is out of its range
 */
export function createSealJournal(options: JournalOptions): SharedArrayBuffer {
  const { shards, maxInFlight, startIndex = 0, startChunk = 0 } = options
  if (!isWithin(shards, MAX_SHARDS) || !isWithin(maxInFlight, MAX_IN_FLIGHT)) {
    const ranges = `shards must be 1..${MAX_SHARDS} and maxInFlight 1..${MAX_IN_FLIGHT}`
    throw invalid(`${ranges}, got ${shards} and ${maxInFlight}`)
  }
  const entries = 2 ** Math.ceil(Math.log2(maxInFlight + 1))
  const memory = new SharedArrayBuffer(byteLength(shards, entries))
  new Uint32Array(memory, 0, 4).set([MAGIC, VERSION, shards, entries])
  const views = attachSealJournal(memory)
  views.control[SEALED] = startChunk // plain: no other thread has the memory yet
  views.control[SETTLED] = startChunk
  const last = views.entries[(startChunk - 1) & (entries - 1)]
  last.head[FIRST] = startIndex
  for (const { after } of views.entries) after.fill(Number.NaN)
  return memory
}

/** @throws TLM_OPTIONS_INVALID the memory is no journal of this version */
export function attachSealJournal(memory: SharedArrayBuffer): JournalViews {
  if (!(memory instanceof SharedArrayBuffer) || memory.byteLength < ENTRIES_AT) {
    throw invalid('the memory is not a SharedArrayBuffer made with createSealJournal')
  }
  const [magic, version, shards, entries] = new Uint32Array(memory, 0, 4)
  if (magic !== MAGIC || version !== VERSION || memory.byteLength !== byteLength(shards, entries)) {
    throw invalid(`the memory is none of version ${VERSION}, or its header is corrupt`)
  }
  const historyAt = ENTRIES_AT + entries * entryBytes(shards)
  return {
    control: new Int32Array(memory, 0, TOTALS_AT / 4),
    totals: new BigInt64Array(memory, TOTALS_AT, 2 * TOTALS_WORDS),
    shards,
    entries: Array.from({ length: entries }, (_, index) => {
      const at = ENTRIES_AT + index * entryBytes(shards)
      const column = (number: number) => new Float64Array(memory, at + HEAD_BYTES + number * shards * 8, shards)
      return {
        head: new Int32Array(memory, at, 4),
        wallOffsetUs: new Float64Array(memory, at + 16, 1),
        seqAfter: column(0),
        after: column(1),
        lost: column(2),
        base: column(3),
        deliveredAfter: column(4),
      }
    }),
    history: Array.from({ length: shards }, (_, shard) => {
      return new Float64Array(memory, historyAt + shard * HISTORY * 8, HISTORY)
    }),
  }
}

function entryBytes(shards: number): number {
  return HEAD_BYTES + 5 * shards * 8
}

function byteLength(shards: number, entries: number): number {
  return ENTRIES_AT + entries * entryBytes(shards) + shards * HISTORY * 8
}

function isWithin(count: number, max: number): boolean {
  return Number.isInteger(count) && count >= 1 && count <= max
}

function invalid(problem: string): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', `Seal journal: ${problem}.`)
}
