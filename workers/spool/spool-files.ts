/** Files of one spool: segments, the cursor, and what was found damaged. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SEGMENT_NAME = /^(\d{10})\.spool$/
const QUARANTINE = 'quarantine'
/** Damaged bytes that are kept for a look; beyond, they are counted only. */
const MAX_QUARANTINE_BYTES = 16 * 2 ** 20

/** Where delivery has come to: all before it is in the store. */
export interface Cursor {
  segment: number
  offset: number
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(10, '0')}.spool`)
}

/** Numbers of the segments there are, ascending. @throws errors of the file system */
export function listSegments(directory: string): number[] {
  return readdirSync(directory)
    .flatMap((name) => {
      const match = SEGMENT_NAME.exec(name)
      return match === null ? [] : [Number(match[1])]
    })
    .sort((a, b) => a - b)
}

/** `undefined` when there is none, or none that can be read: then the oldest segment is sent from its start. */
export function readCursor(directory: string): Cursor | undefined {
  try {
    const { segment, offset } = JSON.parse(readFileSync(join(directory, 'cursor.json'), 'utf8')) as Partial<Cursor>
    return Number.isSafeInteger(segment) && Number.isSafeInteger(offset)
      ? { segment: segment!, offset: offset! }
      : undefined
  } catch {
    return undefined
  }
}

/** Whole or not at all; a failure only means that something is sent again, which the store recognises. */
export function writeCursor(directory: string, cursor: Cursor): void {
  const path = join(directory, 'cursor.json')
  try {
    writeFileSync(`${path}.new`, JSON.stringify(cursor))
    renameSync(`${path}.new`, path)
  } catch {
    rmSync(`${path}.new`, { force: true })
  }
}

/** Keeps damaged bytes for a look, as far as there is room for them. Never throws. */
export class Quarantine {
  readonly #directory: string
  #bytes: number | undefined

  constructor(directory: string) {
    this.#directory = join(directory, QUARANTINE)
  }

  /** @param name names what is kept; what is there by that name already stays */
  keep(name: string, bytes: Uint8Array): void {
    try {
      mkdirSync(this.#directory, { recursive: true })
      this.#bytes ??= sizeOf(this.#directory)
      if (this.#bytes + bytes.byteLength > MAX_QUARANTINE_BYTES) return
      writeFileSync(join(this.#directory, name), bytes, { flag: 'wx' })
      this.#bytes += bytes.byteLength
    } catch {
      // A disk that cannot keep it has the damage in the segment still, until that is deleted.
    }
  }
}

function sizeOf(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
}
