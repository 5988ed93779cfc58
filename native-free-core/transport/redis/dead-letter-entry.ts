import { unpack } from 'msgpackr'
import type { Priority } from '../../model/priority.js'
import { formatId, type GlobalPosition } from '../dead-letters/positions.js'
import { type DeadLetter, type DeadLetterGroup, UNGROUPED } from '../dead-letters.js'

/** `1700000000000-0` as a position. */
export function positionOf(streamId: string, shard: number): GlobalPosition {
  const dash = streamId.indexOf('-')
  return { shard, ms: Number(streamId.slice(0, dash)), n: Number(streamId.slice(dash + 1)) }
}

export function streamIdOf({ ms, n }: { ms: number; n: number }): string {
  return `${ms}-${n}`
}

/** @param fields flat, names and values in turn; unknown names are a later version's and are passed over */
export function readDeadLetter(shard: number, streamId: string, fields: readonly Buffer[]): DeadLetter {
  const position = positionOf(streamId, shard)
  const letter: DeadLetter = {
    id: formatId(position),
    shard,
    class: '',
    message: '',
    fingerprint: UNGROUPED,
    correlationId: '',
    handler: '*',
    priority: undefined,
    attempts: 0,
    deliveries: 0,
    generation: 0,
    samples: 0,
    bytes: 0,
    firstTakenAtUs: undefined,
    diedAtMs: position.ms,
    holder: undefined,
  }
  for (let i = 0; i + 1 < fields.length; i += 2) assign(letter, fields[i].toString('latin1'), fields[i + 1])
  return letter
}

function assign(letter: DeadLetter, name: string, value: Buffer): void {
  const text = value.toString()
  switch (name) {
    case 'x':
      letter.class = text
      break
    case 'm':
      letter.message = text
      break
    case 'f':
      letter.fingerprint = text
      break
    case 'c':
      letter.correlationId = text
      break
    case 'h':
      letter.handler = text
      break
    case 'p':
      letter.priority = Number(text) as Priority
      break
    case 'a':
      letter.attempts = Number(text)
      break
    case 'd':
      letter.deliveries = Number(text)
      break
    case 'g':
      letter.generation = Number(text)
      break
    case 'n':
      letter.samples = Number(text)
      break
    case 'z':
      letter.bytes = Number(text)
      break
    case 'b':
      letter.bytes = value.byteLength
      break
    case 't':
      letter.firstTakenAtUs = Number(text)
      break
    case 'w':
      letter.holder = text === '' ? undefined : text
  }
}

/** A row of the groups' hash; `undefined` when it is none. */
export function readGroup(fingerprint: string, packed: Buffer): DeadLetterGroup | undefined {
  try {
    const [count, firstAtMs, lastAtMs, kind, message] = unpack(packed) as unknown[]
    // Large integers come as bigint.
    const [first, last] = [Number(firstAtMs), Number(lastAtMs)]
    return {
      fingerprint,
      class: String(kind),
      message: String(message),
      count: Number(count),
      firstAtMs: first,
      lastAtMs: last,
    }
  } catch {
    return undefined
  }
}
