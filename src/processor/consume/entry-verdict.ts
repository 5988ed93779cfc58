import type { PortableError } from '#core/errors/telemetry-error'
import { backoffWaitMs } from '#core/policy/backoff'
import type { LeasedEntry, Settlement } from '#core/transport/batch-stream'

/** Waits between attempts of one entry. */
const RETRY = { baseMs: 500, maxMs: 300_000 }
/** Longest message kept with a dead letter, in characters. */
const MAX_MESSAGE = 2000

export type Retry = Settlement['retry'][number]
export type DeadLetter = Settlement['deadLetter'][number]

export type Verdict = { kind: 'retry'; retry: Retry } | { kind: 'dead-letter'; deadLetter: DeadLetter }

/**
 * What becomes of an entry that a handler could not process: what can never succeed is put aside at once, the rest is
 * tried again `maxRetries` times.
 *
 * @param random in [0, 1)
 */
export function verdictOn(entry: LeasedEntry, error: PortableError, maxRetries: number, random: number): Verdict {
  const attempts = entry.attempts + 1
  const isHopeless = error.code === 'TLM_BATCH_UNREADABLE' || error.code === 'TLM_TASK_INVALID'
  if (isHopeless || attempts > maxRetries) {
    return { kind: 'dead-letter', deadLetter: deadLetterOf(entry, error.code, error.message) }
  }
  const afterMs = backoffWaitMs(RETRY, attempts, random)
  return { kind: 'retry', retry: { id: entry.id, priority: entry.priority, attempts, afterMs } }
}

export function deadLetterOf({ id, priority }: LeasedEntry, reason: string, message: string): DeadLetter {
  return { id, priority, class: reason, message: message.slice(0, MAX_MESSAGE) }
}
