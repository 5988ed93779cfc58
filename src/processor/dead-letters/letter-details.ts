import { PRIORITY_NAMES } from '#core/model/priority'
import type { Inspection } from '#core/protocol/inspect-messages'
import type { DeadLetter, DeadLetterBox } from '#core/transport/dead-letters'
import { inspectBody } from './inspector.js'

/** A letter as JSON says it: times for people, priorities by name. */
export type LetterJson = Omit<DeadLetter, 'diedAtMs' | 'priority'> & { priority: string | undefined; diedAt: string }

export interface LetterDetails extends LetterJson {
  /** `undefined`: no body is kept. */
  content: Inspection | undefined
  /** In base64, when asked for. */
  body?: string
}

export function letterJson({ diedAtMs, priority, ...same }: DeadLetter): LetterJson {
  return {
    ...same,
    priority: priority === undefined ? undefined : PRIORITY_NAMES[priority],
    diedAt: new Date(diedAtMs).toISOString(),
  }
}

/**
 * One letter with what its body holds.
 *
 * @param withBody also the bytes themselves
 * @returns `undefined`: no such letter
 * @throws TLM_STREAM_UNAVAILABLE, TLM_BATCH_UNREADABLE see {@link inspectBody}
 */
export async function letterDetails(
  box: DeadLetterBox,
  id: string,
  maxSamples: number,
  withBody: boolean,
): Promise<LetterDetails | undefined> {
  const found = await box.get(id)
  if (found === undefined) return undefined
  const { letter, body } = found
  // Before the body is handed to the thread that decodes it.
  const raw = withBody ? { body: Buffer.from(body).toString('base64') } : {}
  const isKept = letter.bytes > 0 || body.byteLength > 0
  return { ...letterJson(letter), content: isKept ? await inspectBody(body, maxSamples) : undefined, ...raw }
}
