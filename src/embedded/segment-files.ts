/**
 * Segment files of one shard and the one way to end a segment.
 *
 * A numbering's segments are `<numbering>-<index>.log` while open for appends and `.old` when ended; only the last can be
 * open. Ending takes two steps, each of which anybody may do or repeat:
 *
 * 1. rename `.log` to `.old`. A writer looks for its `.log` after every write and believes in the write only if it is
 *    still there.
 * 2. follow the `.old` to its end and publish the next segment, whose header says how far that was, with `link`, which
 *    only the first succeeds in. From then on records of the `.old` beyond that high water are void.
 */
import { createHash, randomUUID } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import {
  decodeSegmentHeader,
  type Extent,
  encodeSegmentHeader,
  followRecords,
  MAX_HEADER_BYTES,
  type Numbering,
  type SegmentHeader,
} from './segment-format.js'
import { isMissing } from './store-failure.js'

export interface SegmentFile {
  /** Name of its numbering, see {@link numberingName}. */
  numbering: string
  /** From 1, without gaps while the numbering lives. */
  index: number
  isOpen: boolean
}

const FILE_NAME = /^([0-9a-f]{16}-[0-9a-z]+)-(\d{8})\.(log|old)$/

/** Names a numbering within its shard: fit for files, and with the producer's part first. */
export function numberingName({ producer, epoch }: Omit<Numbering, 'shard'>): string {
  return `${createHash('sha256').update(producer).digest('hex').slice(0, 16)}-${epoch.toString(36)}`
}

/** Whether a newer epoch of `numbering`'s producer is among `others`: then nobody appends to it any more. */
export function isSuperseded(numbering: string, others: Iterable<string>): boolean {
  const [producer, epoch] = numbering.split('-')
  for (const other of others) {
    const [otherProducer, otherEpoch] = other.split('-')
    if (otherProducer === producer && Number.parseInt(otherEpoch, 36) > Number.parseInt(epoch, 36)) return true
  }
  return false
}

export function segmentPath(folder: string, { numbering, index, isOpen }: SegmentFile): string {
  return join(folder, `${numbering}-${String(index).padStart(8, '0')}.${isOpen ? 'log' : 'old'}`)
}

/** The segments in the folder by numbering, oldest first. */
export function listSegments(folder: string): Map<string, SegmentFile[]> {
  const found = new Map<string, SegmentFile[]>()
  for (const name of readdirSync(folder).sort()) {
    const match = FILE_NAME.exec(name)
    if (match === null) continue
    const file = { numbering: match[1], index: Number(match[2]), isOpen: match[3] === 'log' }
    const segments = found.get(file.numbering)
    if (segments === undefined) found.set(file.numbering, [file])
    else segments.push(file)
  }
  return found
}

/** Header and records of a segment as far as they are whole. `undefined`: no such file, or no header. */
export function readSegment(path: string): { header: SegmentHeader; extent: Extent; size: number } | undefined {
  return withFile(path, (fd) => {
    const bytes = readFrom(fd, 0)
    const header = decodeSegmentHeader(bytes)
    if (header === undefined) return undefined
    const { headerBytes, highWaterSeq, totals } = header
    const extent = followRecords(bytes.subarray(headerBytes), { end: headerBytes, highWaterSeq, totals })
    return { header, extent, size: bytes.length }
  })
}

export function readSegmentHeader(path: string): SegmentHeader | undefined {
  return withFile(path, (fd) => {
    const bytes = Buffer.alloc(MAX_HEADER_BYTES)
    return decodeSegmentHeader(bytes.subarray(0, readSync(fd, bytes, 0, bytes.length, 0)))
  })
}

/** `undefined` when there is no such file. */
function withFile<T>(path: string, use: (fd: number) => T | undefined): T | undefined {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}

/** All bytes of a file from `offset` on. */
export function readFrom(fd: number, offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(Math.max(0, fstatSync(fd).size - offset))
  let length = 0
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, offset + length)
    if (count === 0) break
    length += count
  }
  return bytes.subarray(0, length)
}

/** Makes the segment with a header and no records, whole or not at all. @returns false: it was there before */
export function publishSegment(folder: string, file: SegmentFile, header: Omit<SegmentHeader, 'headerBytes'>): boolean {
  const draft = join(folder, `${randomUUID()}.tmp`)
  try {
    writeFileSync(draft, encodeSegmentHeader(header))
    const path = segmentPath(folder, { ...file, isOpen: true })
    linkSync(draft, path)
    // The name of a segment that has come and gone is free again: who slept that long must not bring it back.
    const last = listSegments(folder).get(file.numbering)?.at(-1)
    if (last === undefined || last.index === file.index) return true
    rmSync(path, { force: true })
    return false
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/**
 * Ends a segment, as far as nobody else has done it, and publishes its successor.
 *
 * @param known what the caller has followed of it already, with its header; absent: it is followed from the start
 */
export function endSegment(folder: string, file: SegmentFile, known?: { header: Numbering; extent: Extent }): void {
  const { numbering, index } = file
  const ended = segmentPath(folder, { numbering, index, isOpen: false })
  try {
    renameSync(segmentPath(folder, { numbering, index, isOpen: true }), ended)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const segment = known === undefined ? readSegment(ended) : followSegment(ended, known)
  if (segment === undefined) return
  const { highWaterSeq, totals } = segment.extent
  publishSegment(folder, { numbering, index: index + 1, isOpen: true }, { ...segment.header, highWaterSeq, totals })
}

/** What came to a segment behind `extent`. `undefined`: it is gone. */
function followSegment<T>(path: string, { header, extent }: { header: T; extent: Extent }) {
  try {
    const fd = openSync(path, 'r')
    try {
      return { header, extent: followRecords(readFrom(fd, extent.end), extent) }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
