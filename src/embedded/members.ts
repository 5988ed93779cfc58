import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJson } from './json-file.js'
import type { LeaseClock } from './lease-clock.js'

/** Files of holders that have been dead for longer go. */
const FORGOTTEN_MS = 3_600_000

interface Member {
  holder: string
  untilMs: number
  session: string
}

/** The living holders of a store, a small file each. Thread: main. */
export class Members {
  readonly #folder: string
  readonly #clock: LeaseClock

  constructor(folder: string, clock: LeaseClock) {
    this.#folder = folder
    this.#clock = clock
  }

  /** Tells that `holder` lives for `memberMs`. @returns all that live, sorted */
  beat(holder: string, memberMs: number): string[] {
    mkdirSync(this.#folder, { recursive: true })
    const nowMs = this.#clock.nowMs()
    const { session } = this.#clock
    const name = createHash('sha256').update(holder).digest('hex').slice(0, 32)
    const draft = join(this.#folder, `${name}.tmp`)
    writeFileSync(draft, JSON.stringify({ holder, untilMs: nowMs + memberMs, session } satisfies Member))
    renameSync(draft, join(this.#folder, name))
    const living: string[] = []
    for (const file of readdirSync(this.#folder)) {
      const member = readJson(join(this.#folder, file)) as Member | undefined
      if (member === undefined) continue
      if (member.session === session && member.untilMs > nowMs) living.push(member.holder)
      else if (member.session !== session || member.untilMs < nowMs - FORGOTTEN_MS)
        rmSync(join(this.#folder, file), { force: true })
    }
    return [...new Set(living)].sort()
  }
}
