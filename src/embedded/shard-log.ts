import { statSync } from 'node:fs'
import type { Priority } from '#core/model/priority'
import type { Cursor } from './control-rows.js'
import { NumberingReader } from './numbering-reader.js'
import type { RecordRef } from './priority-window.js'
import { listSegments, type SegmentFile } from './segment-files.js'

/** Unsettled records known ahead of the leases, per shard: some 3 MB of memory, a gigabyte of large batches. */
const MAX_WAITING = 16_384
/** A directory that changed so recently may change again without its time showing it. */
const DIRECTORY_SETTLES_MS = 100

/** A record at the head of its numbering's window. */
export interface Candidate {
  reader: NumberingReader
  ref: RecordRef
}

/**
 * All numberings of one shard as its owner reads them: the next record by priority, and by age within it.
 *
 * Thread: main; {@link ShardLog.refresh} is not called again before it has ended.
 */
export class ShardLog {
  readonly #folder: string
  readonly #cursors: ReadonlyMap<string, Cursor>
  readonly #readers = new Map<string, NumberingReader>()
  #files: Map<string, SegmentFile[]> = new Map()
  #folderChangedAtMs = -1

  /** @param cursors how far earlier owners have settled, by numbering */
  constructor(folder: string, cursors: ReadonlyMap<string, Cursor>) {
    this.#folder = folder
    this.#cursors = cursors
  }

  get readers(): Iterable<NumberingReader> {
    return this.#readers.values()
  }

  /** Segments by numbering, as of the last refresh. */
  get files(): ReadonlyMap<string, readonly SegmentFile[]> {
    return this.#files
  }

  /** Reads what was appended since. */
  async refresh(): Promise<void> {
    this.#list()
    const share = Math.max(64, Math.floor(MAX_WAITING / Math.max(1, this.#readers.size)))
    for (const reader of this.#readers.values()) await reader.readOn(share)
  }

  /** The oldest waiting record of the priority. */
  peek(priority: Priority): Candidate | undefined {
    let oldest: Candidate | undefined
    for (const reader of this.#readers.values()) {
      const ref = reader.windows[priority].head
      if (ref === undefined) continue
      if (oldest === undefined || ref.record.storedAtUs < oldest.ref.record.storedAtUs) oldest = { reader, ref }
    }
    return oldest
  }

  /** Forgets a numbering whose files are gone. */
  async forget(name: string): Promise<void> {
    await this.#readers.get(name)?.close()
    this.#readers.delete(name)
    this.#folderChangedAtMs = -1
  }

  async close(): Promise<void> {
    for (const reader of this.#readers.values()) await reader.close()
    this.#readers.clear()
  }

  #list(): void {
    const { mtimeMs } = statSync(this.#folder)
    if (mtimeMs === this.#folderChangedAtMs) return
    // Only a listing that began well after the last change is sure to show all that the time stands for.
    this.#folderChangedAtMs = Date.now() - mtimeMs > DIRECTORY_SETTLES_MS ? mtimeMs : -1
    this.#files = listSegments(this.#folder)
    for (const [name, files] of this.#files) {
      let reader = this.#readers.get(name)
      if (reader === undefined) {
        reader = new NumberingReader(this.#folder, name, this.#cursors.get(name))
        this.#readers.set(name, reader)
      }
      reader.setFiles(files)
    }
  }
}
