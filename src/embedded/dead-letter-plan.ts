import type { DeadLetterLimits, DropReason, ReplayOutcome } from '#core/transport/dead-letters'
import type { ControlRows, RetryRow, RowChange } from './control-rows.js'
import type { NumberedDead } from './dead-rows.js'
import type { Retry } from './retry-queue.js'

/** What somebody wants done with dead letters of one shard. */
export type DeskOrder =
  | { kind: 'replay'; ns: readonly number[]; maxGeneration?: number | undefined }
  | { kind: 'purge'; ns: readonly number[] }

/** Changes of rows that are one step of the control log, and what follows in memory and files once it is taken. */
export interface DeadLetterPlan {
  changes: RowChange[]
  retries: Retry[]
  /** Files that no row names any more. */
  spentBodies: string[]
  /** What became of each letter of the order. */
  outcomes: (ReplayOutcome | 'purged')[]
}

/** A replayed letter becomes a retry that is due: out of one table and into the other in one step, with its body's file. */
export function planOrder(rows: ControlRows, order: DeskOrder, nowUs: number): DeadLetterPlan {
  const plan: DeadLetterPlan = { changes: [], retries: [], spentBodies: [], outcomes: [] }
  const left = new Set(order.ns)
  const next = rows.counters.get('next') ?? 1
  for (const n of order.ns) {
    const row = left.delete(n) ? rows.dead.get(n) : undefined
    if (row === undefined) {
      plan.outcomes.push('gone')
      continue
    }
    const { bodyFile, generation = 0 } = row
    if (order.kind === 'purge') {
      if (bodyFile) plan.spentBodies.push(bodyFile)
      plan.outcomes.push('purged')
    } else if (!bodyFile) {
      plan.outcomes.push('bodiless')
      continue
    } else if (order.maxGeneration !== undefined && generation >= order.maxGeneration) {
      plan.outcomes.push('worn-out')
      continue
    } else {
      const { priority, handler, correlationId, samples, bytes, firstTakenAtUs } = row
      const retry: RetryRow = {
        dueAtMs: nowUs / 1000,
        priority: priority ?? 1,
        attempts: 0,
        deliveryCount: 0,
        generation: generation + 1,
        ...{ handler, correlationId, samples, bytes, bodyFile },
        firstTakenAtUs: firstTakenAtUs ?? 0,
        storedAtUs: nowUs,
      }
      plan.retries.push({ n: next + plan.retries.length, row: retry })
      plan.outcomes.push('replayed')
    }
    plan.changes.push(['dead', n, undefined])
  }
  for (const { n, row } of plan.retries) plan.changes.push(['retry', n, row])
  if (plan.retries.length > 0) {
    plan.changes.push(['counter', 'next', next + plan.retries.length])
    plan.changes.push(countUp(rows, 'dead-replayed', plan.retries.length))
  }
  const purged = plan.outcomes.filter((outcome) => outcome === 'purged').length
  if (purged > 0) plan.changes.push(countUp(rows, 'dead-purged', purged))
  return plan
}

/**
 * Drops the oldest letters beyond the bounds; the newest stays.
 *
 * @param more letters that come with the same step, oldest first
 */
export function planDrops(
  rows: ControlRows,
  more: readonly NumberedDead[],
  { maxEntries, maxBytes, maxAgeMs }: DeadLetterLimits,
  nowUs: number,
): Pick<DeadLetterPlan, 'changes' | 'spentBodies'> {
  const changes: RowChange[] = []
  const spentBodies: string[] = []
  const dropped: Record<DropReason, number> = { entries: 0, bytes: 0, age: 0 }
  let left = rows.dead.size + more.length
  let bytes = more.reduce((sum, [, row]) => sum + row.bytes, rows.dead.bytes)
  const oldestUs = nowUs - maxAgeMs * 1000
  for (const some of [rows.dead, more]) {
    for (const [n, row] of some) {
      const isTooMuch = bytes > maxBytes && left > 1
      const reason = left > maxEntries ? 'entries' : isTooMuch ? 'bytes' : row.diedAtUs < oldestUs ? 'age' : undefined
      if (reason === undefined) return finish()
      dropped[reason]++
      left--
      bytes -= row.bytes
      changes.push(['dead', n, undefined])
      if (row.bodyFile) spentBodies.push(row.bodyFile)
    }
  }
  return finish()

  function finish(): Pick<DeadLetterPlan, 'changes' | 'spentBodies'> {
    for (const [reason, count] of Object.entries(dropped)) {
      if (count > 0) changes.push(countUp(rows, `dead-dropped-${reason}`, count))
    }
    return { changes, spentBodies }
  }
}

function countUp(rows: ControlRows, counter: string, by: number): RowChange {
  return ['counter', counter, (rows.counters.get(counter) ?? 0) + by]
}
