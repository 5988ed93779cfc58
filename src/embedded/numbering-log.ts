import { closeSync, constants, openSync, renameSync, statSync, writevSync } from 'node:fs'
import { messageOf } from '#core/errors/telemetry-error'
import type { Clock } from '#core/time/clock'
import type { AppendOutcome, SealedBatch } from '#core/transport/batch-stream'
import {
  endSegment,
  listSegments,
  numberingName,
  publishSegment,
  readFrom,
  readSegment,
  type SegmentFile,
  segmentPath,
} from './segment-files.js'
import { addTotals, type Extent, encodeRecordHeader, followRecords, type Numbering } from './segment-format.js'
import { refusalOf } from './store-failure.js'

/** Each record is two buffers; Linux takes 1024 in one call. */
const MAX_RECORDS_PER_WRITE = 256
/** Rounds against writers of the same numbering before giving up; one is the rule, none without a second writer. */
const MAX_ROUNDS = 100

/** Where the log ends, as this writer knows it. */
interface Tail {
  segment: SegmentFile
  path: string
  /** For reading and for appending: the kernel finds the end, so that writes of two writers never overlap. */
  fd: number
  extent: Extent
}

/**
 * The writing end of one numbering's log.
 *
 * Plain files and synchronous calls on purpose: each write is one system call that a terminated thread either made or
 * did not make, there is no lock that could die with it, and what it left behind (part of a record, at worst) is void
 * by the rules of `segment-format`. Two writers of one numbering at once are safe, though nobody needs them.
 *
 * Thread: whichever made it. Cost: one `writev` and one `stat` per call, while the segment lasts.
 */
export class NumberingLog {
  readonly #folder: string
  readonly #numbering: Numbering
  readonly #name: string
  readonly #segmentBytes: number
  readonly #clock: Clock
  #tail: Tail | undefined
  /** A high water that the log had at some time: it never falls. */
  #provenSeq = 0

  constructor(folder: string, numbering: Numbering, segmentBytes: number, clock: Clock) {
    this.#folder = folder
    this.#numbering = numbering
    this.#name = numberingName(numbering)
    this.#segmentBytes = segmentBytes
    this.#clock = clock
  }

  /**
   * Appends batches of this numbering in order; never throws.
   *
   * @param refusal given when there is no room: the outcome of those that would be stored
   */
  append(batches: readonly SealedBatch[], refusal?: AppendOutcome): AppendOutcome[] {
    const outcomes: AppendOutcome[] = []
    try {
      for (let round = 0; outcomes.length < batches.length && round < MAX_ROUNDS; round++) {
        this.#appendSome(batches, outcomes, refusal)
      }
    } catch (error) {
      return this.#concede(batches, outcomes, error)
    }
    const message = `Other writers of ${this.#name} in ${this.#folder} kept writing between.`
    while (outcomes.length < batches.length) outcomes.push({ kind: 'unavailable', message })
    return outcomes
  }

  close(): void {
    if (this.#tail !== undefined) closeSync(this.#tail.fd)
    this.#tail = undefined
  }

  /** Appends until all have an outcome, or until another writer's doing asks to begin again with the rest. */
  #appendSome(batches: readonly SealedBatch[], outcomes: AppendOutcome[], refusal: AppendOutcome | undefined): void {
    let tail = this.#tail ?? this.#load()
    let isFresh = this.#tail === undefined
    this.#tail = tail
    while (outcomes.length < batches.length) {
      const batch = batches[outcomes.length]
      const { highWaterSeq } = tail.extent
      if (batch.seq <= highWaterSeq) {
        outcomes.push({ kind: 'duplicate' })
      } else if ((batch.after ?? batch.seq - 1) === highWaterSeq) {
        if (refusal !== undefined) {
          outcomes.push(refusal)
          continue
        }
        if (tail.extent.end >= this.#segmentBytes) {
          tail = this.#endAndLoad(tail)
          continue
        }
        const run = this.#runFrom(batches, outcomes.length, tail.extent)
        if (!this.#write(tail, run)) {
          this.#catchUp(tail)
          return
        }
        for (const _ of run) outcomes.push({ kind: 'stored' })
      } else if (isFresh) {
        outcomes.push({ kind: 'gap', highWaterSeq })
      } else {
        this.#catchUp(tail) // another writer may have raised the high water
        tail = this.#tail ?? this.#load()
        this.#tail = tail
        isFresh = true
      }
    }
  }

  /** The batches from `first` on that follow one another and fit the segment; at least one. */
  #runFrom(batches: readonly SealedBatch[], first: number, { end }: Extent): readonly SealedBatch[] {
    let next = first
    let bytes = end
    while (
      next < batches.length &&
      next - first < MAX_RECORDS_PER_WRITE &&
      (next === first || bytes < this.#segmentBytes)
    ) {
      const { seq, after = seq - 1, body } = batches[next]
      if (next > first && after !== batches[next - 1].seq) break
      bytes += body.byteLength
      next++
    }
    return batches.slice(first, next)
  }

  /** @returns whether the records now count; false: ask the files */
  #write(tail: Tail, run: readonly SealedBatch[]): boolean {
    const storedAtUs = this.#clock.nowUs()
    const buffers = run.flatMap((batch) => [encodeRecordHeader(batch, storedAtUs), batch.body])
    const length = buffers.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (writevSync(tail.fd, buffers) !== length) throw diskFull()
    const { extent } = tail
    if (statSync(tail.path, { throwIfNoEntry: false })?.size !== extent.end + length) return false
    for (const { samples, body } of run) addTotals(extent.totals, { samples, bodyBytes: body.byteLength })
    extent.end += length
    extent.highWaterSeq = run[run.length - 1].seq
    this.#provenSeq = extent.highWaterSeq
    return true
  }

  /** Reads what came to the segment since; a segment that has ended, or ends in part of a record, is left. */
  #catchUp(tail: Tail): void {
    const state = this.#follow(tail)
    if (state === 'whole') return
    this.close()
    if (state === 'torn') endSegment(this.#folder, tail.segment)
  }

  /** `ended`: by another, who alone says how far its records count. */
  #follow(tail: Tail): 'whole' | 'torn' | 'ended' {
    const unread = readFrom(tail.fd, tail.extent.end)
    const from = tail.extent.end
    const extent = followRecords(unread, tail.extent)
    if (statSync(tail.path, { throwIfNoEntry: false }) === undefined) return 'ended'
    tail.extent = extent
    this.#provenSeq = extent.highWaterSeq
    return extent.end === from + unread.length ? 'whole' : 'torn'
  }

  #endAndLoad(tail: Tail): Tail {
    this.close()
    endSegment(this.#folder, tail.segment, { header: this.#numbering, extent: tail.extent })
    this.#tail = this.#load()
    return this.#tail
  }

  /** Opens the numbering's last segment, whatever state its last writer left it in; makes the first one. */
  #load(): Tail {
    for (;;) {
      const segment = listSegments(this.#folder).get(this.#name)?.at(-1)
      if (segment === undefined) {
        const first = { numbering: this.#name, index: 1, isOpen: true }
        const totals = { entries: 0, samples: 0, bytes: 0 }
        publishSegment(this.#folder, first, { ...this.#numbering, highWaterSeq: 0, totals })
        continue
      }
      const path = segmentPath(this.#folder, segment)
      const found = readSegment(path)
      if (found === undefined) setAside(path)
      else if (!segment.isOpen || found.extent.end < found.size) endSegment(this.#folder, segment)
      else {
        const fd = openForAppend(path)
        if (fd !== undefined) return { segment, path, fd, extent: found.extent }
      }
    }
  }

  /** Outcomes after a failed file operation: what the files hold is stored, the rest is not and never will be. */
  #concede(batches: readonly SealedBatch[], outcomes: AppendOutcome[], error: unknown): AppendOutcome[] {
    let rest = refusalOf(error, this.#folder)
    try {
      if (this.#tail !== undefined && this.#follow(this.#tail) === 'ended') throw error
      this.close()
    } catch {
      rest = { kind: 'unavailable', message: `Nothing is known of a write to ${this.#folder}: ${messageOf(error)}` }
      this.#tail = undefined
    }
    return batches.map((batch, i) => outcomes[i] ?? (batch.seq <= this.#provenSeq ? { kind: 'stored' } : rest))
  }
}

/** A write that ends early does so because no more would fit; the next one would say it. */
function diskFull(): Error {
  return Object.assign(new Error('ENOSPC: only part of the batches could be written'), { code: 'ENOSPC' })
}

/** `undefined`: it is gone. Never makes the file. */
function openForAppend(path: string): number | undefined {
  try {
    return openSync(path, constants.O_RDWR | constants.O_APPEND)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A segment whose header cannot be read (a power cut came while it was made) is kept under another name. */
export function setAside(path: string): void {
  try {
    renameSync(path, `${path}.damaged`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
