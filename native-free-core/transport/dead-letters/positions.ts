import { TelemetryError } from '../../errors/telemetry-error.js'
import type { DeadLetterPosition, PageOrder } from '../dead-letters.js'

/** A position among the letters of all shards: by time, then number, then shard. */
export interface GlobalPosition extends DeadLetterPosition {
  shard: number
}

/** The greatest number of a position. */
export const MAX_NUMBER = 999_999_999_999_999

export function formatId({ shard, ms, n }: GlobalPosition): string {
  return `${shard}-${ms}-${n}`
}

/** `undefined` when it is no id of a dead letter. */
export function parseId(id: string): GlobalPosition | undefined {
  const match = /^(\d{1,2})-(\d{1,15})-(\d{1,15})$/.exec(id)
  return match === null ? undefined : { shard: Number(match[1]), ms: Number(match[2]), n: Number(match[3]) }
}

/** @throws TLM_OPTIONS_INVALID */
export function parseCursor(cursor: string | undefined): GlobalPosition | undefined {
  if (cursor === undefined) return undefined
  const position = parseId(cursor)
  if (position !== undefined) return position
  const text = cursor.slice(0, 60)
  throw new TelemetryError('TLM_OPTIONS_INVALID', `cursor ${text} is none. Fix: take it from an earlier page.`)
}

export function comparePositions(a: DeadLetterPosition, b: DeadLetterPosition): number {
  return a.ms - b.ms || a.n - b.n
}

/** Negative when `a` comes before `b` in the order. */
export function compareIn(order: PageOrder, a: GlobalPosition, b: GlobalPosition): number {
  const growing = comparePositions(a, b) || a.shard - b.shard
  return order === 'oldest-first' ? growing : -growing
}
