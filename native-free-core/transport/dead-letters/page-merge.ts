import type { DeadLetter, DeadLetterPage, DeadLetterPosition, DeadLetterQuery, PageOrder } from '../dead-letters.js'
import { compareIn, formatId, type GlobalPosition, parseCursor, parseId } from './positions.js'

/** Where a shard's letters are to be looked through from. */
export interface ScanStart extends DeadLetterPosition {
  /** Whether a letter at the position itself belongs to it. */
  isInclusive: boolean
}

/** Part of a shard's letters that match, in order. */
export interface ShardScan {
  letters: DeadLetter[]
  /** Up to where was looked; `undefined`: to the end. */
  stoppedAt: DeadLetterPosition | undefined
}

/** Looks through one shard from `start` on until `limit` letters match, the end, or the effort's bound. */
export type ScanShard = (
  shard: number,
  start: ScanStart | undefined,
  query: Omit<DeadLetterQuery, 'cursor'>,
) => Promise<ShardScan>

/** Letters of one shard that were found and not given out yet. */
interface Source extends ShardScan {
  shard: number
  next: number
}

/**
 * One page over all shards that the filter lets in, merged by position: a shard is asked for some letters at first, and
 * for more when those are used up.
 *
 * @throws TLM_OPTIONS_INVALID for a cursor that is none
 */
export async function pageOverShards(shards: number, query: DeadLetterQuery, scan: ScanShard): Promise<DeadLetterPage> {
  const { filter, order, limit, cursor: text } = query
  const cursor = parseCursor(text)
  const wanted = Array.from({ length: shards }, (_, shard) => shard).filter(
    (shard) => filter.shard === undefined || filter.shard === shard,
  )
  const share = Math.min(limit, Math.ceil(limit / Math.max(1, wanted.length)) + 4)
  const look = async (shard: number, start: ScanStart | undefined): Promise<Source> => {
    return { shard, next: 0, ...(await scan(shard, start, { filter, order, limit: share })) }
  }
  const sources = await Promise.all(wanted.map((shard) => look(shard, startOf(shard, cursor, order))))
  const letters: DeadLetter[] = []
  for (;;) {
    const first = firstSource(sources, order)
    if (first === undefined) return { letters, cursor: undefined }
    const source = sources[first.index]
    const letter = source.letters[source.next]
    if (letter === undefined) {
      // What comes next may be of this shard: only a further look tells. One that found less than it was asked for has
      // come to the bound of its effort, and so has this page.
      if (source.letters.length < share) return { letters, cursor: formatId(first.at) }
      sources[first.index] = await look(source.shard, { ...first.at, isInclusive: false })
    } else if (letters.length === limit) {
      return { letters, cursor: letters[limit - 1].id }
    } else {
      letters.push(letter)
      source.next++
    }
  }
}

/** The source that the next letter is of, or may be of, with the position of that. */
function firstSource(sources: readonly Source[], order: PageOrder): { index: number; at: GlobalPosition } | undefined {
  let first: { index: number; at: GlobalPosition } | undefined
  for (const [index, { shard, letters, next, stoppedAt }] of sources.entries()) {
    const letter = letters[next]
    const at = letter === undefined ? stoppedAt && { ...stoppedAt, shard } : parseId(letter.id)
    if (at !== undefined && (first === undefined || compareIn(order, at, first.at) < 0)) first = { index, at }
  }
  return first
}

function startOf(shard: number, cursor: GlobalPosition | undefined, order: PageOrder): ScanStart | undefined {
  if (cursor === undefined) return undefined
  const { ms, n } = cursor
  // Of letters at the same time and number, those of the shards that the order puts later are still to come.
  return { ms, n, isInclusive: order === 'oldest-first' ? shard > cursor.shard : shard < cursor.shard }
}
