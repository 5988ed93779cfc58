/** Small files that are read and replaced as a whole. */
import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isMissing } from './store-failure.js'

/** What a file says; `undefined` when there is none, or it is damaged. @throws other errors of the file system */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    if (isMissing(error) || error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Whole or not at all, whoever else writes it; a crash may leave a draft, whose name ends in `.tmp`. */
export function writeJson(path: string, content: unknown): void {
  const draft = `${path}.${randomUUID()}.tmp`
  writeFileSync(draft, JSON.stringify(content))
  renameSync(draft, path)
}
