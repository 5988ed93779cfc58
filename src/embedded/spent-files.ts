import { readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ControlLog } from './control-log.js'
import type { NumberingReader } from './numbering-reader.js'
import { isSuperseded, readSegment, type SegmentFile, segmentPath } from './segment-files.js'
import type { ShardLog } from './shard-log.js'
import { isMissing } from './store-failure.js'

const TIDY_EVERY_MS = 30_000
/** A numbering that its producer has replaced by a newer epoch goes when nothing came to it for so long. */
const ABANDONED_MS = 600_000
/** Drafts this old were left by writers that were killed. */
const DRAFT_MS = 3_600_000

/** Removes files of a shard that nobody needs any more. Thread: main. */
export class SpentFiles {
  readonly #folder: string
  #tidiedAtMs = Number.NEGATIVE_INFINITY

  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Removes the ended segments in which all is settled, oldest first, so that the rest stays without gaps; not before
   * the disk knows that it is settled, or a power cut could bring the settlements back to a time that needs them.
   */
  async remove(readers: Iterable<NumberingReader>, control: ControlLog): Promise<void> {
    const spent = [...readers].flatMap((reader) => reader.takeSpent())
    if (spent.length === 0) return
    await control.sync()
    for (const file of spent) rmSync(segmentPath(this.#folder, file), { force: true })
  }

  /** @param nowMs monotonic */
  isTidyingDue(nowMs: number): boolean {
    if (nowMs - this.#tidiedAtMs < TIDY_EVERY_MS) return false
    this.#tidiedAtMs = nowMs
    return true
  }

  /** Removes settled numberings that newer epochs have replaced. @returns their names */
  removeAbandoned(log: ShardLog): string[] {
    this.#removeDrafts()
    const removed: string[] = []
    for (const reader of log.readers) {
      const files = log.files.get(reader.name) ?? []
      if (!reader.isSpent || files.length !== 1 || !isSuperseded(reader.name, log.files.keys())) continue
      if (this.#removeAbandoned(files[0], reader.knownSeq)) removed.push(reader.name)
    }
    return removed
  }

  /** Renames first: a writer that is still there sees it and will not believe in what it writes then. */
  #removeAbandoned(file: SegmentFile, knownSeq: number): boolean {
    const path = segmentPath(this.#folder, file)
    const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
    if (changedAtMs === undefined || Date.now() - changedAtMs < ABANDONED_MS) return false
    const ended = segmentPath(this.#folder, { ...file, isOpen: false })
    try {
      if (file.isOpen) renameSync(path, ended)
    } catch (error) {
      if (!isMissing(error)) throw error
    }
    if ((readSegment(ended)?.extent.highWaterSeq ?? 0) > knownSeq) return false
    rmSync(ended, { force: true })
    return true
  }

  #removeDrafts(): void {
    for (const name of readdirSync(this.#folder)) {
      if (!name.endsWith('.tmp')) continue
      const path = join(this.#folder, name)
      const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
      if (changedAtMs !== undefined && Date.now() - changedAtMs > DRAFT_MS) rmSync(path, { force: true })
    }
  }
}
