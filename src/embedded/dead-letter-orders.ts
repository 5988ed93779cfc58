/**
 * Orders to a shard's owner, who alone may change what the shard holds: a file each, `<uuid>.json`, which the owner
 * carries out and answers with `<uuid>.done`. Whoever owns a shard next carries out what the former owner left, so an
 * order may be looked at twice; the second time its letters are gone.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { ReplayOutcome } from '#core/transport/dead-letters'
import type { DeskOrder } from './dead-letter-plan.js'
import { readJson, writeJson } from './json-file.js'
import { isMissing } from './store-failure.js'

/** Answers and drafts that nobody has fetched for so long go. */
const FORGOTTEN_MS = 60_000

interface OrderFile {
  order: DeskOrder
  /** Wall time after which nobody waits for it any more: it is not carried out then. */
  untilMs: number
}

export type OrderAnswer = { outcomes: (ReplayOutcome | 'purged')[] } | { problem: string }

export function orderFolder(controlFolder: string): string {
  const folder = join(controlFolder, 'orders')
  mkdirSync(folder, { recursive: true })
  return folder
}

/** @returns its name */
export function placeOrder(folder: string, order: DeskOrder, untilMs: number): string {
  const name = randomUUID()
  writeJson(join(folder, `${name}.json`), { order, untilMs } satisfies OrderFile)
  return name
}

/** @returns whether it was still there: else somebody has carried it out, or is about to */
export function withdrawOrder(folder: string, name: string): boolean {
  try {
    renameSync(join(folder, `${name}.json`), join(folder, `${name}.tmp`))
    rmSync(join(folder, `${name}.tmp`), { force: true })
    return true
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}

/** Takes the answer out; `undefined` when there is none yet. */
export function fetchAnswer(folder: string, name: string): OrderAnswer | undefined {
  const path = join(folder, `${name}.done`)
  const answer = readJson(path) as OrderAnswer | undefined
  if (answer !== undefined) rmSync(path, { force: true })
  return answer
}

/** Orders that wait, the expired ones left out and removed. */
export function waitingOrders(folder: string, nowMs: number): { name: string; order: DeskOrder }[] {
  const waiting: { name: string; order: DeskOrder }[] = []
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.json')) {
      removeForgotten(join(folder, file), nowMs)
      continue
    }
    const name = file.slice(0, -'.json'.length)
    const content = readJson(join(folder, file)) as OrderFile | undefined
    if (content === undefined) continue
    if (content.untilMs > nowMs) waiting.push({ name, order: content.order })
    else withdrawOrder(folder, name)
  }
  return waiting
}

export function answerOrder(folder: string, name: string, answer: OrderAnswer): void {
  writeJson(join(folder, `${name}.done`), answer)
  rmSync(join(folder, `${name}.json`), { force: true })
}

function removeForgotten(path: string, nowMs: number): void {
  const changedAtMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs
  if (changedAtMs !== undefined && nowMs - changedAtMs > FORGOTTEN_MS) rmSync(path, { force: true })
}
