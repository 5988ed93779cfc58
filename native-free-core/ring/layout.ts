/**
 * Byte map of the ring: a single-producer single-consumer queue of samples in one SharedArrayBuffer.
 *
 * ```text
 *     0  magic u32 | version u32 | slots u32 | rawBytes u32        written once by createRing
 *   128  PUBLISHED u32   slots ever published     stored by the producer; the sleepers' futex word
 *   256  CONSUMED u32    slots ever released      stored by the consumer
 *   512  slots, 32 bytes each
 *         0 value f64 | 8 takenAtUs f64 | 16 series u32 | 20 sequence u32
 *        24 quality u8, priority u8, rawLength u16 | 28 rawStart u32
 *   ...  raw arena, rawBytes long: the bytes of a slot begin at rawStart mod rawBytes and may wrap
 * ```
 * Each control word stands alone on 128 bytes (two lines: the prefetcher pulls pairs), so that one side's stores do not
 * take the other side's word away. Indices and `rawStart` count up and wrap at 2^32; compare them by difference only.
 * A slot says itself where its raw bytes are, so one store of CONSUMED gives back slots and bytes together: a consumer
 * that dies at any point leaves a ring its successor can attach to.
 *
 * While the consumer sleeps, the top bit of PUBLISHED is flipped. A ring has 2^24 slots at most, so a flipped word lies
 * further from CONSUMED than an intact one ever does.
 *
 * Order (ECMA-262 has sequentially consistent atomics and unordered plain accesses, nothing between):
 * - R1 slot before PUBLISHED: plain writes of slots and raw bytes, then the exchange; the consumer loads, then reads.
 * - R2 sleep against publish: the consumer flips PUBLISHED only while it still is what made the ring look empty, then
 *   waits for it to change; the producer exchanges it and wakes the sleeper whose flip it gets back. Both are one step
 *   on one word, so no wake-up is lost, none is sent twice, and publishing takes one atomic access.
 * - R3 slot before CONSUMED: plain reads, then the store; the producer loads, then overwrites. The same goes for the
 *   instants that the consumer writes into slots it has taken (`restamp`).
 *
 * `takenAtUs` is hub time until the consumer has turned it into wall time, see `time/hub-time`.
 */
import { TelemetryError } from '../errors/telemetry-error.js'
import { MAX_RAW_BYTES } from '../model/sample.js'

const MAGIC = 0x544c_4d52 // "TLMR"
const VERSION = 2
const HEADER_BYTES = 512
const MAX_SLOTS = 2 ** 24
const MAX_ARENA_BYTES = 2 ** 30

export const SLOT_BYTES = 32

/** Control words, as indices into {@link RingViews.control}. */
export const CONTROL = { PUBLISHED: 32, CONSUMED: 64 } as const

/** The bit of PUBLISHED that is flipped while the consumer sleeps. */
export const ASLEEP = 1 << 31

/**
 * Fields of a slot. Shift a slot number by `FLOATS_SHIFT` for its first f64, by `WORDS_SHIFT` for its first 32-bit word.
 *
 * Both ends take what they use apart into constants of their own module: V8 folds those into its machine code, but
 * loads an imported binding at every use, which made publishing and draining cost twice as much.
 */
export const SLOT = {
  FLOATS_SHIFT: 2,
  VALUE: 0,
  TAKEN_AT: 1,
  WORDS_SHIFT: 3,
  SERIES: 4,
  SEQUENCE: 5,
  META: 6,
  RAW_START: 7,
  PRIORITY_SHIFT: 8,
  RAW_LENGTH_SHIFT: 16,
} as const

export interface RingOptions {
  /** Samples the ring holds: a power of two, 2..2^24. Too low refuses bursts, too high only costs 32 bytes each. */
  slots: number
  /** Bytes for `Sample.raw` of the samples in the ring: 0 for none, else a power of two, 4096..2^30. */
  rawBytes: number
  /** Index of the first slot, a u32: lets tests start close to a wrap. Default 0. */
  startIndex?: number
}

/** The parts of one ring, as both ends see them. Words are signed: only their bits and differences count. */
export interface RingViews {
  readonly control: Int32Array
  readonly floats: Float64Array
  readonly words: Int32Array
  readonly raw: Uint8Array
  readonly slots: number
}

/**
 * Allocates an empty ring.
 *
 * @throws TLM_OPTIONS_INVALID a size is out of its range or not a power of two
 */
export function createRing({ slots, rawBytes, startIndex = 0 }: RingOptions): SharedArrayBuffer {
  const problem = findSizeProblem(slots, rawBytes)
  if (problem !== undefined) throw invalid(problem, { slots, rawBytes })
  const memory = new SharedArrayBuffer(HEADER_BYTES + slots * SLOT_BYTES + rawBytes)
  new Uint32Array(memory, 0, 4).set([MAGIC, VERSION, slots, rawBytes])
  const control = new Int32Array(memory, 0, HEADER_BYTES / 4)
  control[CONTROL.PUBLISHED] = startIndex // plain: no other thread has the memory yet
  control[CONTROL.CONSUMED] = startIndex
  return memory
}

/**
 * Checks that `memory` is a ring of this version and maps it.
 *
 * @throws TLM_OPTIONS_INVALID it is not: the message says which field is wrong and what was found
 */
export function attachRing(memory: SharedArrayBuffer): RingViews {
  if (!(memory instanceof SharedArrayBuffer) || memory.byteLength < HEADER_BYTES) {
    throw invalid(
      `the memory is not a SharedArrayBuffer of at least ${HEADER_BYTES} bytes; make it with createRing`,
      {},
    )
  }
  const [magic, version, slots, rawBytes] = new Uint32Array(memory, 0, 4)
  if (magic !== MAGIC)
    throw invalid(`the memory begins with 0x${magic.toString(16)}, not with the ring's magic`, { magic })
  if (version !== VERSION)
    throw invalid(`the ring has layout version ${version}, this program reads ${VERSION}`, { version })
  const problem = findSizeProblem(slots, rawBytes)
  if (problem !== undefined) throw invalid(`corrupt header: ${problem}`, { slots, rawBytes })
  const expected = HEADER_BYTES + slots * SLOT_BYTES + rawBytes
  if (memory.byteLength !== expected) {
    throw invalid(`corrupt header: ${memory.byteLength} bytes of memory, its sizes need ${expected}`, {
      slots,
      rawBytes,
    })
  }
  return {
    control: new Int32Array(memory, 0, HEADER_BYTES / 4),
    floats: new Float64Array(memory, HEADER_BYTES, slots * (SLOT_BYTES / 8)),
    words: new Int32Array(memory, HEADER_BYTES, slots * (SLOT_BYTES / 4)),
    raw: new Uint8Array(memory, HEADER_BYTES + slots * SLOT_BYTES, rawBytes),
    slots,
  }
}

/**
 * The count in a word of PUBLISHED, whether its consumer slept or not.
 *
 * @throws TLM_OPTIONS_INVALID more slots lie between the indices than the ring has: some other code wrote there
 */
export function publishedCount(word: number, consumed: number, slots: number): number {
  const published = (word - consumed) >>> 0 > slots ? word ^ ASLEEP : word
  const backlog = (published - consumed) >>> 0
  if (backlog > slots)
    throw invalid(`corrupt indices: ${backlog} samples published in ${slots} slots`, { backlog, slots })
  return published
}

function findSizeProblem(slots: number, rawBytes: number): string | undefined {
  if (!isPowerOfTwo(slots) || slots < 2 || slots > MAX_SLOTS) {
    return `slots must be a power of two from 2 to ${MAX_SLOTS}, got ${slots}`
  }
  if (rawBytes === 0) return undefined
  if (!isPowerOfTwo(rawBytes) || rawBytes < MAX_RAW_BYTES || rawBytes > MAX_ARENA_BYTES) {
    return `rawBytes must be 0 or a power of two from ${MAX_RAW_BYTES} to ${MAX_ARENA_BYTES}, got ${rawBytes}`
  }
  return undefined
}

function isPowerOfTwo(count: number): boolean {
  return Number.isInteger(count) && count > 0 && Number.isInteger(Math.log2(count))
}

function invalid(problem: string, details: Record<string, unknown>): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', `Ring: ${problem}.`, details)
}
