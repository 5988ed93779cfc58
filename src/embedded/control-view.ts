import { closeSync, fstatSync, openSync } from 'node:fs'
import { type ControlHeader, controlPath, decodeFrames, listControlFiles } from './control-file.js'
import { ControlRows, type RowChange } from './control-rows.js'
import type { LeaseClock } from './lease-clock.js'
import { isHeld } from './lease-file.js'
import { readFrom } from './segment-files.js'
import { isMissing } from './store-failure.js'

/**
 * A shard's control log as seen by those who do not own it: rows without the handlers' state, and the owner.
 *
 * Thread: main. Cost: the bytes added since the last look; all of the file when it is new.
 */
export class ControlView {
  readonly #folder: string
  readonly #clock: LeaseClock
  #n = 0
  #end = 0
  #header: ControlHeader | undefined
  readonly #keepsDead: boolean
  #rows: ControlRows

  /** @param keepsDead false: dead letters are only counted */
  constructor(folder: string, clock: LeaseClock, keepsDead = true) {
    this.#folder = folder
    this.#clock = clock
    this.#keepsDead = keepsDead
    this.#rows = new ControlRows(false, keepsDead)
  }

  /** @throws errors of the file system */
  refresh(): { rows: ControlRows; owner: string | undefined } {
    for (;;) {
      const file = listControlFiles(this.#folder).at(-1)
      if (file === undefined) break
      try {
        this.#read(file.n, openSync(controlPath(this.#folder, file), 'r'))
        break
      } catch (error) {
        if (!isMissing(error)) throw error // ended, or gone, since it was listed
      }
    }
    const header = this.#header
    const isOwned = header !== undefined && isHeld(this.#folder, header, this.#clock)
    return { rows: this.#rows, owner: isOwned ? header.holder : undefined }
  }

  #read(n: number, fd: number): void {
    try {
      if (n !== this.#n || fstatSync(fd).size < this.#end) {
        this.#n = n
        this.#end = 0
        this.#rows = new ControlRows(false, this.#keepsDead)
      }
      const { contents, end } = decodeFrames(readFrom(fd, this.#end))
      const changes = this.#end === 0 ? contents.slice(1) : contents
      if (this.#end === 0) this.#header = contents[0] as ControlHeader | undefined
      for (const some of changes) this.#rows.apply(some as RowChange[])
      this.#end += end
    } finally {
      closeSync(fd)
    }
  }
}
