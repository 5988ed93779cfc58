import { constants, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { TelemetryError } from '#core/errors/telemetry-error'
import {
  type ControlContents,
  type ControlHeader,
  controlPath,
  encodeFrame,
  endControlFile,
  KEPT_ENDS,
  listControlFiles,
  publishControlFile,
  readControlFile,
  rowsOf,
} from './control-file.js'
import { ControlRows, type RowChange } from './control-rows.js'
import { InOrder } from './in-order.js'
import type { LeaseClock } from './lease-clock.js'
import { isHeld, removeLeasesBefore, writeLease } from './lease-file.js'
import { isMissing } from './store-failure.js'

/** A file is written anew once it has grown by this and by as much again as its rows took. */
const REWRITE_BYTES = 2 ** 20

/** What the owner needs to know of itself. */
export interface Claimant {
  folder: string
  holder: string
  leaseMs: number
  clock: LeaseClock
}

/**
 * The control log of one shard, held by its owner: every step is a frame at the end of the current file, in the page cache
 * when it resolves. There is no lock: an owner that is stopped or killed holds up nobody, and whoever takes the shard ends
 * the file, after which the former owner's steps are void (`control-file`).
 *
 * Thread: main; steps are taken one after another.
 */
export class ControlLog {
  readonly token: number
  /** As of the last step. */
  readonly rows: ControlRows
  readonly #claimant: Claimant
  readonly #steps = new InOrder()
  #header: ControlHeader
  #n: number
  #handle: FileHandle
  #end: number
  #rewriteAt: number
  #isTorn = false
  #isLost = false

  private constructor(
    claimant: Claimant,
    header: ControlHeader,
    rows: ControlRows,
    n: number,
    handle: FileHandle,
    end: number,
  ) {
    this.token = header.token
    this.rows = rows
    this.#claimant = claimant
    this.#header = header
    this.#n = n
    this.#handle = handle
    this.#end = end
    this.#rewriteAt = 2 * end + REWRITE_BYTES
  }

  /** Takes the shard; `undefined` when another holds it, or was faster. */
  static async claim(claimant: Claimant): Promise<ControlLog | undefined> {
    const { folder, holder, leaseMs, clock } = claimant
    const found = await findCurrent(folder)
    if (found.contents.header.holder !== holder && isHeld(folder, found.contents.header, clock)) return undefined
    const ended = await endAndRead(folder, found.n)
    if (ended === undefined) return undefined
    const rows = rowsOf(ended)
    const header: ControlHeader = {
      token: ended.header.token + 1,
      holder,
      untilMs: clock.nowMs() + leaseMs,
      session: clock.session,
      ends: endsAfter(ended, found.n),
    }
    const n = found.n + 1
    const end = await publishControlFile(folder, n, header, rows)
    if (end === undefined) return undefined
    removeLeasesBefore(folder, header.token)
    const handle = await openForAppend(folder, n)
    return handle && new ControlLog(claimant, header, rows, n, handle, end)
  }

  get holder(): string {
    return this.#claimant.holder
  }

  /** Whether no other owner has come, as far as the files tell now. */
  isCurrent(): boolean {
    return !this.#isLost && statSync(this.#path, { throwIfNoEntry: false }) !== undefined
  }

  /**
   * Takes a step.
   *
   * @returns whether it is part of the log; false: another owner has come before
   * @throws errors of the file system: the step is void
   * @throws TLM_STREAM_UNAVAILABLE another owner came long ago, and whether the step came before is not known any more
   */
  append(changes: readonly RowChange[]): Promise<boolean> {
    return this.#steps.run(async () => {
      if (this.#isLost) return false
      if (this.#isTorn || this.#end > this.#rewriteAt) await this.#rewrite()
      if (this.#isLost || !(await this.#write(encodeFrame(changes)))) return false
      this.rows.apply(changes)
      return true
    })
  }

  /** Prolongs the lease. @returns false: another owner has come */
  renew(): boolean {
    if (!this.isCurrent()) return false
    const { folder, clock, leaseMs } = this.#claimant
    writeLease(folder, this.token, { untilMs: clock.nowMs() + leaseMs, session: clock.session })
    return this.isCurrent()
  }

  /** Ends the lease: the next may come at once. */
  release(): void {
    const { folder, clock } = this.#claimant
    if (this.isCurrent()) writeLease(folder, this.token, { untilMs: 0, session: clock.session })
  }

  /** Brings all steps so far to the disk. */
  sync(): Promise<void> {
    return this.#steps.run(() => this.#handle.datasync())
  }

  close(): Promise<void> {
    this.#isLost = true
    return this.#steps.run(() => this.#handle.close())
  }

  get #path(): string {
    return controlPath(this.#claimant.folder, { n: this.#n, isOpen: true })
  }

  async #write(frame: Buffer): Promise<boolean> {
    try {
      const { bytesWritten } = await this.#handle.write(frame)
      if (bytesWritten !== frame.length) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' })
    } catch (error) {
      this.#isTorn = true
      throw error
    }
    this.#end += frame.length
    if (statSync(this.#path, { throwIfNoEntry: false }) !== undefined) return true
    this.#isLost = true
    return this.#wasInTime()
  }

  /** The file was ended around the last step: its successor says whether that still counts. */
  async #wasInTime(): Promise<boolean> {
    const { folder } = this.#claimant
    for (;;) {
      const { n, contents } = await findCurrent(folder)
      if (n > this.#n) {
        const known = contents.header.ends.find(([file]) => file === this.#n)
        if (known !== undefined) return known[1] >= this.#end
        throw new TelemetryError(
          'TLM_STREAM_UNAVAILABLE',
          `Shard ${folder} had so many owners meanwhile that the last step of this one cannot be told from none.`,
        )
      }
      // Whoever ended the file has not gone on: made public as nobody's, it counts as it stands.
      const ended = await endAndRead(folder, n)
      if (ended === undefined) continue
      const header = { ...ended.header, holder: undefined, untilMs: 0, ends: endsAfter(ended, n) }
      await publishControlFile(folder, n + 1, header, rowsOf(ended))
    }
  }

  /** Goes on in a new file that holds the rows only. */
  async #rewrite(): Promise<void> {
    const { folder, clock, leaseMs } = this.#claimant
    const ends = endsAfter({ header: this.#header, end: this.#end }, this.#n)
    const header = { ...this.#header, untilMs: clock.nowMs() + leaseMs, session: clock.session, ends }
    // Only when the new file is written is the old one ended: a full disk must not cost the ownership.
    const endThis = () => endControlFile(folder, this.#n)
    const end = await publishControlFile(folder, this.#n + 1, header, this.rows, endThis)
    const handle = end === undefined ? undefined : await openForAppend(folder, this.#n + 1)
    if (end === undefined || handle === undefined) {
      this.#isLost = true
      return
    }
    await this.#handle.close()
    this.#handle = handle
    this.#header = header
    this.#n++
    this.#end = end
    this.#rewriteAt = 2 * end + REWRITE_BYTES
    this.#isTorn = false
  }
}

/** The newest control file with its contents; makes the first. */
export async function findCurrent(folder: string): Promise<{ n: number; contents: ControlContents }> {
  for (;;) {
    const file = listControlFiles(folder).at(-1)
    if (file === undefined) {
      const header: ControlHeader = { token: 0, holder: undefined, untilMs: 0, session: '', ends: [] }
      await publishControlFile(folder, 1, header, new ControlRows())
      continue
    }
    const contents = await readControlFile(controlPath(folder, file))
    if (contents !== undefined) return { n: file.n, contents }
    const now = listControlFiles(folder).at(-1)
    if (now?.n !== file.n || now.isOpen !== file.isOpen) continue
    const message = `The control file ${controlPath(folder, file)} is damaged. Fix: move it away; the shard starts anew.`
    throw new TelemetryError('TLM_STREAM_MISCONFIGURED', message, { folder })
  }
}

async function endAndRead(folder: string, n: number): Promise<ControlContents | undefined> {
  endControlFile(folder, n)
  return readControlFile(controlPath(folder, { n, isOpen: false }))
}

function endsAfter({ header, end }: { header: ControlHeader; end: number }, n: number): ControlHeader['ends'] {
  return [...header.ends, [n, end] as [number, number]].slice(-KEPT_ENDS)
}

async function openForAppend(folder: string, n: number): Promise<FileHandle | undefined> {
  try {
    return await open(controlPath(folder, { n, isOpen: true }), constants.O_RDWR | constants.O_APPEND)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
