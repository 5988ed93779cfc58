/**
 * Why an entry, or a part of it, became a dead letter. The words are stored with it: append only, never rename.
 *
 * - `unreadable`: its bytes are no batch of any version this program knows of.
 * - `invalid`: it can be read and asks for what nobody has configured.
 * - `handler-error`: a handler threw on it, and did so again on every further attempt.
 * - `timeout`: run alone, it took longer than a run may take.
 * - `oom`: run alone, it needed more heap than a handler thread has.
 * - `crash-loop`: run alone, it ended its thread or its process in another way.
 */
export const DEAD_LETTER_CLASSES = ['unreadable', 'invalid', 'handler-error', 'timeout', 'oom', 'crash-loop'] as const

export type DeadLetterClass = (typeof DEAD_LETTER_CLASSES)[number]
