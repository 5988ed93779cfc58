/**
 * Files of a shard's control log. Each begins with what its predecessor came to, and goes on with one frame per step:
 *
 * ```text
 * frame   0 magic u32 "TLMC" | 4 crc u32 of the rest | 8 length u32 | 12 msgpack: a ControlHeader, then lists of row changes
 * ```
 * A frame that is cut off or damaged ends the file. The files are `<n>.log` while open and `<n>.old` when ended, and end
 * the way segments do (`segment-files`): rename, read to the end, publish `<n+1>.log`, which only the first succeeds in.
 * Who publishes decides how far the old file counts, and says so in the new one's header: so a step is either in
 * the successor or void, and a former owner cannot add to what the next one has taken over.
 */
import { randomUUID } from 'node:crypto'
import { linkSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { Packr } from 'msgpackr'
import { ControlRows, type RowChange } from './control-rows.js'
import { isMissing } from './store-failure.js'

const MAGIC = 0x434d_4c54
const FRAME_BYTES = 12
const FILE_NAME = /^(\d{10})\.(log|old)$/

const packr = () => new Packr({ useRecords: false })

export interface ControlHeader {
  /** Of the owner that made the file. */
  token: number
  /** `undefined`: nobody owns the shard. */
  holder: string | undefined
  /** End of the lease that the file was made with, by the lease clock of `session`. */
  untilMs: number
  session: string
  /** Up to which byte each of the last files counts, the newest last. */
  ends: [n: number, end: number][]
}

/** How many files back {@link ControlHeader.ends} goes. */
export const KEPT_ENDS = 32

export interface ControlFile {
  n: number
  isOpen: boolean
}

export interface ControlContents {
  header: ControlHeader
  /** What follows the header. */
  changes: RowChange[][]
  /** Where the last whole frame ends. */
  end: number
}

export function controlPath(folder: string, { n, isOpen }: ControlFile): string {
  return join(folder, `${String(n).padStart(10, '0')}.${isOpen ? 'log' : 'old'}`)
}

/** All control files in the folder, oldest first. */
export function listControlFiles(folder: string): ControlFile[] {
  const files: ControlFile[] = []
  for (const name of readdirSync(folder).sort()) {
    const match = FILE_NAME.exec(name)
    if (match !== null) files.push({ n: Number(match[1]), isOpen: match[2] === 'log' })
  }
  return files
}

export function encodeFrame(content: ControlHeader | readonly RowChange[]): Buffer {
  const payload = packr().pack(content)
  const frame = Buffer.allocUnsafe(FRAME_BYTES + payload.length)
  frame.writeUInt32LE(MAGIC, 0)
  frame.writeUInt32LE(payload.length, 8)
  payload.copy(frame, FRAME_BYTES)
  frame.writeUInt32LE(crc32(frame.subarray(8)), 4)
  return frame
}

/** The frames at the beginning of `bytes`, as far as they are whole. */
export function decodeFrames(bytes: Buffer): { contents: unknown[]; end: number } {
  const contents: unknown[] = []
  const unpackr = packr()
  let end = 0
  while (bytes.length >= end + FRAME_BYTES && bytes.readUInt32LE(end) === MAGIC) {
    const next = end + FRAME_BYTES + bytes.readUInt32LE(end + 8)
    if (next > bytes.length || crc32(bytes.subarray(end + 8, next)) !== bytes.readUInt32LE(end + 4)) break
    contents.push(unpackr.unpack(bytes.subarray(end + FRAME_BYTES, next)))
    end = next
  }
  return { contents, end }
}

/** `undefined`: the file is gone, or has not even a header. */
export async function readControlFile(path: string): Promise<ControlContents | undefined> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const { contents, end } = decodeFrames(bytes)
  if (contents.length === 0) return undefined
  const [header, ...changes] = contents
  return { header: header as ControlHeader, changes: changes as RowChange[][], end }
}

/** @returns whether the file was there; by now it is ended either way */
export function endControlFile(folder: string, n: number): boolean {
  try {
    renameSync(controlPath(folder, { n, isOpen: true }), controlPath(folder, { n, isOpen: false }))
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/**
 * Makes the file `<n>.log` with a header and rows, whole and on the disk, or not at all; then its predecessors go.
 *
 * @param confirm asked when all is written, before it becomes public; false: it does not
 * @returns where its frames end; `undefined`: somebody else has made it
 */
export async function publishControlFile(
  folder: string,
  n: number,
  header: ControlHeader,
  rows: ControlRows,
  confirm = () => true,
): Promise<number | undefined> {
  const draft = join(folder, `${randomUUID()}.tmp`)
  try {
    const handle = await open(draft, 'wx')
    let end: number
    try {
      const bytes = Buffer.concat([encodeFrame(header), encodeFrame(rows.snapshot())])
      await handle.writeFile(bytes)
      await handle.datasync()
      end = bytes.length
    } finally {
      await handle.close()
    }
    if (!confirm()) return undefined
    linkSync(draft, controlPath(folder, { n, isOpen: true }))
    const files = listControlFiles(folder)
    const isLast = files[files.length - 1].n === n
    // A name may be free because all its successors' predecessors are gone already.
    const gone = isLast ? files.filter((file) => file.n < n) : [{ n, isOpen: true }]
    for (const file of gone) rmSync(controlPath(folder, file), { force: true })
    return isLast ? end : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The rows that a file's contents amount to. */
export function rowsOf({ changes }: ControlContents, rows = new ControlRows()): ControlRows {
  for (const some of changes) rows.apply(some)
  return rows
}
