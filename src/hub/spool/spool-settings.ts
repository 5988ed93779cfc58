import { join } from 'node:path'
import { z } from 'zod'
import { byteSize, durationMs, flag, number, text } from '#core/options/fields'

const DAY_MS = 86_400_000

export const spoolSchema = z
  .strictObject({
    enabled: flag().default(true),
    /** Default: `spool` in the data directory. */
    dir: text(4096).optional(),
    max_bytes: byteSize(2 ** 20, 2 ** 44).default(256 * 2 ** 20),
    max_age: durationMs(1000, 3650 * DAY_MS).default(7 * DAY_MS),
    batch_age_ms: durationMs(0, 10_000).default(100),
    fsync_ms: durationMs(0, 60_000).default(500),
    live_share: number(0, 0.95).default(0.5),
    keep_acked: durationMs(0, DAY_MS).default(600_000),
    keep_acked_bytes: byteSize(0, 2 ** 32).default(16 * 2 ** 20),
  })
  .prefault({})

/** Where and how much a hub spools. */
export interface SpoolSettings {
  /** Of all hubs on this data directory; each has a subdirectory. */
  directory: string
  /** Over all drain workers. */
  maxBytes: number
  maxAgeMs: number
  batchAgeMs: number
  fsyncMs: number
  liveShare: number
  /** Over all drain workers. */
  keep: { bytes: number; ageMs: number }
}

/** @param dataDirectory the hub's */
export function spoolSettings(raw: z.output<typeof spoolSchema>, dataDirectory: string): SpoolSettings {
  return {
    directory: raw.dir ?? join(dataDirectory, 'spool'),
    maxBytes: raw.max_bytes,
    maxAgeMs: raw.max_age,
    batchAgeMs: raw.batch_age_ms,
    fsyncMs: raw.fsync_ms,
    liveShare: raw.live_share,
    keep: { bytes: raw.keep_acked_bytes, ageMs: raw.keep_acked },
  }
}
