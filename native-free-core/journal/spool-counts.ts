/**
 * What a drain worker's spool has counted, in shared memory that outlives the worker: its successor goes on with it, the
 * hub's main thread reads it at any moment.
 *
 * ```text
 *     0  magic u32 | version u32 | shards u32 | 0
 *   128  VERSION u32: states ever written; the newest is at VERSION mod 2
 *   256  two states, one f64 per name of SPOOL_COUNTS
 *   ...  per shard f64[4096]: seq of the batch that was spooled, at seq mod 4096
 *   ...  the same of the batches that are counted as rolled back
 * ```
 * Order (one worker at a time writes): the other state is written whole, then VERSION moves on with one store. Whoever
 * loads VERSION reads a state that stays until VERSION has moved on twice, and looks at VERSION again afterwards.
 */
import { TelemetryError } from '../errors/telemetry-error.js'

const MAGIC = 0x544c_5343 // "TLSC"
const LAYOUT_VERSION = 2
const VERSION_AT = 128
const STATES_AT = 256
const MAX_SHARDS = 64
/** Batches per shard of which it is known whether they were spooled; as many as a journal's history. */
const MARKS = 4096

/**
 * In samples unless the name says otherwise. At every moment
 * `recovered + appended = replayed + droppedSize + droppedAge + droppedCorrupt + droppedDiskFull + held`.
 */
export const SPOOL_COUNTS = [
  /** 1 once a worker has opened the spool. */
  'isOpened',
  /** Found when the hub started, left by an earlier run. */
  'recovered',
  'appended',
  'replayed',
  'droppedSize',
  'droppedAge',
  'droppedCorrupt',
  'droppedDiskFull',
  'held',
  'heldBatches',
  /** Delivered by this run and lost by the store, further back than was kept. */
  'rolledBack',
  /** Delivered, lost by the store and sent again out of what was kept. */
  'repaired',
  /** Of those appended, and for how long, because processors were pressed; a worker that dies takes its last ones along. */
  'heldBack',
  'heldBackBatches',
  'heldBackMs',
  /** Cut off or damaged. */
  'corruptRecords',
  'sizeBytes',
  'segments',
  'appendedBytes',
  /** Of all batches that were to be stored, as they would be in the spool. */
  'offeredBytes',
  'offered',
  /** When the oldest batch that is held was spooled, microseconds since the Unix epoch; 0: none. */
  'oldestAtUs',
  /** Segment and offset up to which all is delivered. */
  'cursorSegment',
  'cursorOffset',
] as const

export type SpoolCounts = Record<(typeof SPOOL_COUNTS)[number], number>

/** @param shards 1..64 @throws TLM_OPTIONS_INVALID */
export function createSpoolCounts(shards: number): SharedArrayBuffer {
  if (!Number.isInteger(shards) || shards < 1 || shards > MAX_SHARDS) {
    throw invalid(`shards must be 1..${MAX_SHARDS}, got ${shards}`)
  }
  const memory = new SharedArrayBuffer(byteLength(shards))
  new Uint32Array(memory, 0, 3).set([MAGIC, LAYOUT_VERSION, shards])
  return memory
}

/** One view of the counts. Thread: one worker at a time writes, any thread reads. */
export class SpoolCountsView {
  readonly #version: Int32Array
  readonly #states: Float64Array
  readonly #marks: readonly Float64Array[]
  readonly #rolledBack: readonly Float64Array[]

  /** @throws TLM_OPTIONS_INVALID the memory is none of {@link createSpoolCounts} */
  constructor(memory: SharedArrayBuffer) {
    if (!(memory instanceof SharedArrayBuffer) || memory.byteLength < STATES_AT) throw invalid('no such memory')
    const [magic, version, shards] = new Uint32Array(memory, 0, 3)
    if (magic !== MAGIC || version !== LAYOUT_VERSION || memory.byteLength !== byteLength(shards)) {
      throw invalid(`the memory is none of version ${LAYOUT_VERSION}, or its header is corrupt`)
    }
    this.#version = new Int32Array(memory, VERSION_AT, 1)
    this.#states = new Float64Array(memory, STATES_AT, 2 * SPOOL_COUNTS.length)
    const marks = (plane: number) =>
      Array.from({ length: shards }, (_, shard) => {
        return new Float64Array(memory, marksAt() + (plane * shards + shard) * MARKS * 8, MARKS)
      })
    this.#marks = marks(0)
    this.#rolledBack = marks(1)
  }

  /** All counts at one moment. Thread: any. */
  read(): SpoolCounts {
    for (;;) {
      const version = Atomics.load(this.#version, 0)
      const from = (version & 1) * SPOOL_COUNTS.length
      const counts = Object.fromEntries(SPOOL_COUNTS.map((name, word) => [name, this.#states[from + word]]))
      if (Atomics.load(this.#version, 0) === version) return counts as SpoolCounts
    }
  }

  /** Replaces counts, all at one moment. Thread: the worker's. */
  write(changes: Partial<SpoolCounts>): void {
    const version = Atomics.load(this.#version, 0)
    const from = (version & 1) * SPOOL_COUNTS.length
    const to = SPOOL_COUNTS.length - from
    for (let word = 0; word < SPOOL_COUNTS.length; word++) {
      this.#states[to + word] = changes[SPOOL_COUNTS[word]] ?? this.#states[from + word]
    }
    Atomics.store(this.#version, 0, (version + 1) | 0)
  }

  /** Remembers that a batch of the hub's own numbering is in the spool, or was. */
  mark(shard: number, seq: number): void {
    this.#marks[shard][seq % MARKS] = seq
  }

  /** Whether {@link mark} was called for it; `false` for one that lies more than 4096 batches back. */
  isMarked(shard: number, seq: number): boolean {
    return this.#marks[shard][seq % MARKS] === seq
  }

  /** Remembers that a batch of the hub's own numbering, which was delivered, is counted as rolled back. */
  markRolledBack(shard: number, seq: number): void {
    this.#rolledBack[shard][seq % MARKS] = seq
  }

  /** As {@link isMarked}, for {@link markRolledBack}. */
  isRolledBack(shard: number, seq: number): boolean {
    return this.#rolledBack[shard][seq % MARKS] === seq
  }
}

/** 0 unless the spool has lost count. */
export function spoolImbalanceOf(counts: SpoolCounts): number {
  const { recovered, appended, replayed, held } = counts
  return recovered + appended - replayed - droppedOf(counts) - held
}

/** Samples that were in the spool and are given up, for whatever reason. */
export function droppedOf({ droppedSize, droppedAge, droppedCorrupt, droppedDiskFull }: SpoolCounts): number {
  return droppedSize + droppedAge + droppedCorrupt + droppedDiskFull
}

function marksAt(): number {
  return STATES_AT + 2 * SPOOL_COUNTS.length * 8
}

function byteLength(shards: number): number {
  return marksAt() + 2 * shards * MARKS * 8
}

function invalid(problem: string): TelemetryError {
  return new TelemetryError('TLM_OPTIONS_INVALID', `Spool counts: ${problem}.`)
}
