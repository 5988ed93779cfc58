import { BATCH_VERSION } from '#core/codec/batch-codec'
import type { PortableError } from '#core/errors/telemetry-error'
import { partId } from '#core/model/batch'
import type { DeadLetterClass } from '#core/model/dead-letter'
import type { DeadSample } from '#core/protocol/handler-messages'
import type { DeadLetterOrder, LeasedEntry, RetryOrder } from '#core/transport/batch-stream'

/** Longest message kept with a dead letter, in characters. */
const MAX_MESSAGE = 2000
/** How long an entry that only a newer program can read is left alone, at least and at most. */
const NEWER_MS = { least: 30_000, most: 60_000 }

/** Why an entry is put back without an attempt: nothing is wrong with it. */
export const HOLD_REASONS = ['newer_version', 'handler_paused'] as const
export type HoldReason = (typeof HOLD_REASONS)[number]

/** What decides besides the entry and its error. */
export interface VerdictContext {
  /** Handler attempts after the first. */
  maxRetries: number
  /** In [0, 1). */
  random: () => number
  /** Time of the handler's next pause to end, `undefined` while it is not paused. Milliseconds. */
  pauseMs: (handler: string | undefined) => number | undefined
  /** See `HandlerWatch.retryAfterMs`. */
  retryAfterMs: (handler: string | undefined, attempts: number) => number
}

export type Verdict =
  | { kind: 'retry'; retry: RetryOrder }
  | { kind: 'hold'; reason: HoldReason; retry: RetryOrder }
  | { kind: 'dead-letter'; deadLetter: DeadLetterOrder }

/**
 * What becomes of an entry that could not be processed. What a newer program wrote, and what a handler fails on that fails
 * on everything, is put back as it is; what can never succeed is put aside at once; the rest is tried again `maxRetries`
 * times.
 */
export function verdictOn(entry: LeasedEntry, error: PortableError, context: VerdictContext): Verdict {
  const { maxRetries, random, pauseMs, retryAfterMs } = context
  const { id, priority } = entry
  if (isNewer(error)) {
    const afterMs = NEWER_MS.least + random() * (NEWER_MS.most - NEWER_MS.least)
    return { kind: 'hold', reason: 'newer_version', retry: putBack(entry, afterMs) }
  }
  const hopeless = HOPELESS[error.code]
  if (hopeless !== undefined) {
    return { kind: 'dead-letter', deadLetter: deadLetterOf(entry, hopeless, error.message) }
  }
  const handler = failedHandler(error)
  const afterPauseMs = pauseMs(handler)
  if (afterPauseMs !== undefined) {
    return { kind: 'hold', reason: 'handler_paused', retry: putBack(entry, afterPauseMs) }
  }
  const attempts = entry.attempts + 1
  if (attempts > maxRetries) {
    return { kind: 'dead-letter', deadLetter: deadLetterOf(entry, 'handler-error', error.message) }
  }
  return { kind: 'retry', retry: { id, priority, attempts, afterMs: retryAfterMs(handler, attempts) } }
}

const HOPELESS: Readonly<Record<string, DeadLetterClass>> = {
  TLM_BATCH_UNREADABLE: 'unreadable',
  TLM_TASK_INVALID: 'invalid',
}

/** For an entry with which nothing is wrong: neither an attempt nor a delivery is used. */
export function putBack({ id, priority, attempts }: LeasedEntry, afterMs: number): RetryOrder {
  return { id, priority, attempts, afterMs, isUntouched: true }
}

export function deadLetterOf({ id, priority }: LeasedEntry, reason: DeadLetterClass, message: string): DeadLetterOrder {
  return { id, priority, class: reason, message: message.slice(0, MAX_MESSAGE) }
}

/** The letter of one sample that was left out of its entry. */
export function deadSampleOf(
  entry: LeasedEntry,
  { row, device, channel, takenAtUs, body }: DeadSample,
  { kind, message }: { kind: DeadLetterClass; message: string },
): DeadLetterOrder {
  const where = `Sample ${row} of ${entry.samples} of batch ${entry.correlationId} (${device}/${channel} at ${takenAtUs} us)`
  const correlationId = partId(entry.correlationId, row)
  const part = { correlationId, samples: 1, firstTakenAtUs: takenAtUs, body }
  return { ...deadLetterOf(entry, kind, `${where}: ${message}`), part }
}

/** Type of the handler that threw. */
export function failedHandler(error: PortableError | undefined): string | undefined {
  const handler = error?.details.handler
  return error?.code === 'TLM_HANDLER_FAILED' && typeof handler === 'string' ? handler : undefined
}

/** Written by a program of a later version, as far as can be seen. */
function isNewer({ code, details }: PortableError): boolean {
  const { class: kind, version } = details
  return code === 'TLM_BATCH_UNREADABLE' && kind === 'unknown-version' && Number(version) > BATCH_VERSION
}
