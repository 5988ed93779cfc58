import { z } from 'zod'
import { byteSize, durationMs, integer } from '#core/options/fields'
import type { DeadLetterLimits } from '#core/transport/dead-letters'

const DAY_MS = 86_400_000

/** Bounds of all dead letters together; beyond them the oldest are dropped, and counted. */
export const deadLetterSchema = z
  .strictObject({
    max_entries: integer(1, 100_000_000).default(100_000),
    /** Of the bodies. */
    max_bytes: byteSize(2 ** 20, 2 ** 44).default(2 ** 29),
    max_age_ms: durationMs(1000, 3650 * DAY_MS).default(30 * DAY_MS),
    /** A letter that was replayed so often is replayed by force only. */
    max_replays: integer(1, 1000).default(3),
  })
  .prefault({})

/** Each shard has an equal part of the room. */
export function limitsPerShard(
  { max_entries, max_bytes, max_age_ms }: z.output<typeof deadLetterSchema>,
  shards: number,
): DeadLetterLimits {
  return {
    maxEntries: Math.ceil(max_entries / shards),
    maxBytes: Math.ceil(max_bytes / shards),
    maxAgeMs: max_age_ms,
  }
}
