import { shardOf } from '../../model/shard.js'
import type { DeadLetter, DeadLetterPage, DeadLetterPosition, DeadLetterQuery, PageOrder } from '../dead-letters.js'
import { compareIn, formatId, type GlobalPosition, MAX_NUMBER, parseCursor, parseId } from './positions.js'

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

/** Looks through one shard from `start` on until `limit` letters match, the end, or the bound of one step's effort. */
export type ScanShard = (
  shard: number,
  start: ScanStart | undefined,
  query: Omit<DeadLetterQuery, 'cursor'>,
) => Promise<ShardScan>

/** Where the first letter from `start` on stands, whether it matches or not; `undefined`: there is none. */
export type FindFirst = (
  shard: number,
  start: ScanStart | undefined,
  query: Omit<DeadLetterQuery, 'cursor'>,
) => Promise<DeadLetterPosition | undefined>

/** How a store's shards are read. */
export interface ShardScans {
  scan: ScanShard
  /**
   * For filters that most letters may not match: shards are looked through where the next letter may be, and no others.
   * Absent: each shard is asked for its part of the page at once.
   */
  findFirst?: FindFirst | undefined
  /** For the bound of a page's duration. */
  nowMs?: () => number
}

/** Looks into single shards, beside the first into each, that one page may cost. */
const MAX_LOOKS = 24
/** After so long a page is given out as it is, but never before it has come further. */
const MAX_MS = 15

/** Letters of one shard that were found and not given out yet. */
interface Source extends ShardScan {
  shard: number
  next: number
  /** Letters that the next look is to find. */
  share: number
}

/**
 * One page over all shards that the filter lets in, merged by position. Effort and duration are bounded, however many
 * letters there are and however few match: a page is then short, and its cursor tells how far was looked.
 *
 * @throws TLM_OPTIONS_INVALID for a cursor that is none
 */
export async function pageOverShards(
  shards: number,
  query: DeadLetterQuery,
  { scan, findFirst, nowMs = () => performance.now() }: ShardScans,
): Promise<DeadLetterPage> {
  const { filter, order, limit, cursor: text } = query
  const untilMs = nowMs() + MAX_MS
  const cursor = parseCursor(text)
  const only = filter.shard ?? (filter.device === undefined ? undefined : shardOf(filter.device, shards))
  const wanted = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => (only ?? shard) === shard)
  const part = Math.min(limit, Math.ceil(limit / Math.max(1, wanted.length)) + 4)
  const look = async (shard: number, start: ScanStart | undefined, share: number): Promise<Source> => {
    return { shard, next: 0, share: 2 * share, ...(await scan(shard, start, { filter, order, limit: share })) }
  }
  const begin = async (shard: number): Promise<Source> => {
    const start = startOf(shard, cursor, order)
    if (findFirst === undefined) return look(shard, start, part)
    const at = await findFirst(shard, start, { filter, order, limit })
    return { shard, next: 0, share: limit, letters: [], stoppedAt: at && before(at, order) }
  }
  const sources = await Promise.all(wanted.map(begin))
  const letters: DeadLetter[] = []
  for (let looks = 0; ; ) {
    const first = firstSource(sources, order)
    if (first === undefined) return { letters, cursor: undefined }
    if (letters.length === limit) return { letters, cursor: letters[limit - 1].id }
    const source = sources[first.index]
    const letter = source.letters[source.next]
    if (letter !== undefined) {
      letters.push(letter)
      source.next++
      continue
    }
    // What comes next may be of this shard: only a further look tells.
    const isFurther = cursor === undefined || compareIn(order, first.at, cursor) > 0
    const isEnough = looks >= MAX_LOOKS || (looks > 0 && nowMs() >= untilMs)
    if (isEnough && isFurther) return { letters, cursor: formatId(first.at) }
    looks++
    const share = Math.min(source.share, limit - letters.length)
    sources[first.index] = await look(source.shard, { ...first.at, isInclusive: false }, share)
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

/** A position behind which, in the order, the given one is the next. */
function before({ ms, n }: DeadLetterPosition, order: PageOrder): DeadLetterPosition {
  if (order === 'newest-first') return { ms, n: n + 1 }
  return n > 0 ? { ms, n: n - 1 } : { ms: ms - 1, n: MAX_NUMBER }
}

function startOf(shard: number, cursor: GlobalPosition | undefined, order: PageOrder): ScanStart | undefined {
  if (cursor === undefined) return undefined
  const { ms, n } = cursor
  // Of letters at the same time and number, those of the shards that the order puts later are still to come.
  return { ms, n, isInclusive: order === 'oldest-first' ? shard > cursor.shard : shard < cursor.shard }
}
