import type {
  DeadLetter,
  DeadLetterOrder,
  DeadLetterPage,
  DeadLetterPosition,
  DeadLetterQuery,
} from '../dead-letters.js'
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
export type ScanShard = (shard: number, start: ScanStart | undefined, query: DeadLetterQuery) => Promise<ShardScan>

/** One page over all shards that the filter lets in. @throws TLM_OPTIONS_INVALID for a cursor that is none */
export async function pageOverShards(shards: number, query: DeadLetterQuery, scan: ScanShard): Promise<DeadLetterPage> {
  const cursor = parseCursor(query.cursor)
  const { order, limit } = query
  const wanted = Array.from({ length: shards }, (_, shard) => shard).filter(
    (shard) => query.filter.shard === undefined || query.filter.shard === shard,
  )
  const scans = await Promise.all(wanted.map((shard) => scan(shard, startOf(shard, cursor, order), query)))
  const stops = scans.flatMap(({ stoppedAt }, i) =>
    stoppedAt === undefined ? [] : [{ ...stoppedAt, shard: wanted[i] }],
  )
  // Beyond the first stop there may be letters that nobody has seen yet.
  const stop = stops.sort((a, b) => compareIn(order, a, b))[0]
  const letters = scans
    .flatMap((one) => one.letters)
    .map((letter) => ({ letter, at: parseId(letter.id)! }))
    .filter(({ at }) => stop === undefined || compareIn(order, at, stop) <= 0)
    .sort((a, b) => compareIn(order, a.at, b.at))
  if (letters.length > limit) {
    const page = letters.slice(0, limit)
    return { letters: page.map(({ letter }) => letter), cursor: formatId(page[limit - 1].at) }
  }
  return { letters: letters.map(({ letter }) => letter), cursor: stop && formatId(stop) }
}

function startOf(shard: number, cursor: GlobalPosition | undefined, order: DeadLetterOrder): ScanStart | undefined {
  if (cursor === undefined) return undefined
  const { ms, n } = cursor
  // Of letters at the same time and number, those of the shards that the order puts later are still to come.
  return { ms, n, isInclusive: order === 'oldest-first' ? shard > cursor.shard : shard < cursor.shard }
}
