import { closeSync, openSync } from 'node:fs'
import type { ShardDepth } from '#core/transport/batch-stream'
import type { ControlRows, Cursor } from './control-rows.js'
import type { ControlView } from './control-view.js'
import { NumberingReader } from './numbering-reader.js'
import {
  listSegments,
  readFrom,
  readSegment,
  readSegmentHeader,
  type SegmentFile,
  segmentPath,
} from './segment-files.js'
import { type Extent, followRecords, type Totals } from './segment-format.js'
import { isMissing } from './store-failure.js'

type Contents = Omit<ShardDepth, 'shard' | 'owner'>

/** The log's end as it was when it was last looked at. */
interface KnownEnd {
  path: string
  extent: Extent
}

/**
 * Measures a shard, whoever owns it: what its numberings have held, as their last segments tell, less what is settled.
 *
 * Thread: main. Cost: the bytes that came to the last segment of each numbering since the last call, and, while
 * something is unsettled, the headers before the oldest of it in its segment.
 */
export class ShardDepthGauge {
  readonly #folder: string
  readonly #view: ControlView
  readonly #ends = new Map<string, KnownEnd>()

  /** @param folder of the shard's segments */
  constructor(folder: string, view: ControlView) {
    this.#folder = folder
    this.#view = view
  }

  /** @param nowMs wall clock */
  async measure(nowMs: number): Promise<Contents & { owner: string | undefined }> {
    const { rows, owner } = await this.#view.refresh()
    const contents = measureRetries(rows, nowMs)
    const listed = listSegments(this.#folder)
    for (const name of this.#ends.keys()) if (!listed.has(name)) this.#ends.delete(name)
    for (const [name, files] of listed) {
      const cursor = rows.cursors.get(name)
      const { entries, samples, bytes } = this.#unsettledOf(name, files, cursor)
      if (entries <= 0) continue
      contents.entries += entries
      contents.samples += samples
      contents.bytes += bytes
      contents.oldestStoredAtUs = earlier(contents.oldestStoredAtUs, await this.#oldestOf(name, files, cursor))
    }
    return { ...contents, owner }
  }

  #unsettledOf(name: string, files: readonly SegmentFile[], cursor: Cursor | undefined): Totals {
    const held = this.#endOf(name, files[files.length - 1])?.totals
    // Segments go only when all in them is settled: so is all that came before the oldest there is.
    const gone = readSegmentHeader(segmentPath(this.#folder, files[0]))?.totals
    const settled = (cursor?.totals.entries ?? 0) >= (gone?.entries ?? 0) ? cursor?.totals : gone
    return {
      entries: (held?.entries ?? 0) - (settled?.entries ?? 0),
      samples: (held?.samples ?? 0) - (settled?.samples ?? 0),
      bytes: (held?.bytes ?? 0) - (settled?.bytes ?? 0),
    }
  }

  #endOf(name: string, file: SegmentFile): Extent | undefined {
    const path = segmentPath(this.#folder, file)
    const known = this.#ends.get(name)
    const extent = known?.path === path ? followOn(path, known.extent) : readSegment(path)?.extent
    if (extent === undefined) this.#ends.delete(name)
    else this.#ends.set(name, { path, extent })
    return extent
  }

  async #oldestOf(
    name: string,
    files: readonly SegmentFile[],
    cursor: Cursor | undefined,
  ): Promise<number | undefined> {
    const reader = new NumberingReader(this.#folder, name, cursor)
    reader.setFiles(files)
    try {
      await reader.readOn(1)
    } finally {
      await reader.close()
    }
    return reader.windows.reduce<number | undefined>(
      (oldest, window) => earlier(oldest, window.oldest?.record.storedAtUs),
      undefined,
    )
  }
}

function measureRetries({ retries, dead }: ControlRows, nowMs: number): Contents {
  const contents: Contents = {
    ...{ entries: 0, samples: 0, bytes: 0, delayed: 0 },
    deadLetters: dead.size,
    oldestStoredAtUs: undefined,
  }
  for (const { samples, bytes, dueAtMs, storedAtUs } of retries.values()) {
    contents.entries++
    contents.samples += samples
    contents.bytes += bytes
    if (dueAtMs > nowMs) contents.delayed++
    contents.oldestStoredAtUs = earlier(contents.oldestStoredAtUs, storedAtUs)
  }
  return contents
}

function followOn(path: string, extent: Extent): Extent | undefined {
  try {
    const fd = openSync(path, 'r')
    try {
      return followRecords(readFrom(fd, extent.end), extent)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

function earlier(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return Math.min(a, b)
}
