/**
 * The contract of the dead letters: batches that nobody could process, kept per shard until somebody replays or purges
 * them, or a bound drops the oldest. Both implementations pass `test/conformance/dead-letter-suite`.
 *
 * Anybody may hold a box beside the owners of the shards; nothing here needs, or disturbs, an ownership.
 */
import type { Priority } from '../model/priority.js'

/** Fingerprint of letters that an earlier version stored without one. */
export const UNGROUPED = 'ungrouped'

/** One dead letter, without its body. */
export interface DeadLetter {
  /** `shard-ms-n`: see {@link DeadLetterPosition}. */
  id: string
  shard: number
  /** Error code, or the name of what went wrong, e.g. `crash-loop`. */
  class: string
  message: string
  /** The same for letters that died of the same thing, see `fingerprintOf`; or {@link UNGROUPED}. */
  fingerprint: string
  /** `batchId` of the batch; empty when a stretch of a log was lost. */
  correlationId: string
  handler: string
  priority: Priority | undefined
  /** Handler attempts that failed. */
  attempts: number
  /** Times that it was handed to an owner; 0 when the store did not write it down. */
  deliveries: number
  /** Times that it was replayed before it died this time. */
  generation: number
  samples: number
  /** Of the body; 0 when none is kept. */
  bytes: number
  firstTakenAtUs: number | undefined
  /** Wall time of the store. */
  diedAtMs: number
  /** Who owned the shard when it died. */
  holder: string | undefined
}

/** Where a letter stands in its shard: letters of a shard have growing positions. */
export interface DeadLetterPosition {
  ms: number
  /** Tells letters of one millisecond apart. */
  n: number
}

/** Absent fields match everything. */
export interface DeadLetterFilter {
  class?: string | undefined
  fingerprint?: string | undefined
  shard?: number | undefined
  /** Of a batch: its parts match as well. */
  correlationId?: string | undefined
  /**
   * Batches with series of this device, also those that cannot be read, as long as its name can still be seen. Looks at the
   * bodies of the one shard that the device's batches go to.
   */
  device?: string | undefined
  /** Time of death, milliseconds since the Unix epoch, inclusive. */
  fromMs?: number | undefined
  /** Exclusive. */
  toMs?: number | undefined
}

export type PageOrder = 'newest-first' | 'oldest-first'

export interface DeadLetterQuery {
  filter: DeadLetterFilter
  order: PageOrder
  /** From an earlier page of the same filter and order. */
  cursor?: string | undefined
  /** 1..1000. */
  limit: number
}

export interface DeadLetterPage {
  letters: DeadLetter[]
  /**
   * Where to go on; `undefined` at the end. A page may be short, even empty, with a cursor: the effort of one call is
   * bounded, however few letters match.
   */
  cursor: string | undefined
}

export interface DeadLetterGroup {
  fingerprint: string
  /** Of the letter that began the group. */
  class: string
  message: string
  count: number
  /** When the first and the last one died; `undefined` for {@link UNGROUPED}. */
  firstAtMs: number | undefined
  lastAtMs: number | undefined
}

/** Why the oldest letters were dropped: too many, too large together, too old. */
export type DropReason = 'entries' | 'bytes' | 'age'

/** Sums over all shards; the counts are of all time. */
export interface DeadLetterTotals {
  entries: number
  bytes: number
  replayed: number
  purged: number
  dropped: Readonly<Record<DropReason, number>>
}

/**
 * - `replayed`: back in its stream, with its attempts and deliveries at 0 and its generation one higher
 * - `gone`: no such letter, any more
 * - `worn-out`: it was replayed as often as it may be without force
 * - `bodiless`: its body is not kept
 */
export type ReplayOutcome = 'replayed' | 'gone' | 'worn-out' | 'bodiless'

/** All calls throw `TLM_STREAM_UNAVAILABLE` when the store cannot be reached. Thread: main. */
export interface DeadLetterBox {
  readonly shards: number
  /** @throws TLM_OPTIONS_INVALID for a cursor that is none */
  page(query: DeadLetterQuery): Promise<DeadLetterPage>
  /** `undefined`: no such letter; a letter whose body is not kept comes with an empty one. */
  get(id: string): Promise<{ letter: DeadLetter; body: Uint8Array } | undefined>
  /** The largest first. Cost: grows with the groups, not with the letters. */
  groups(limit: number): Promise<DeadLetterGroup[]>
  totals(): Promise<DeadLetterTotals>
  /**
   * Puts letters back into their streams, each in one step with its removal: whatever happens, a letter is in one of the
   * two places. Replayed again after an error, one that was replayed already is `gone`.
   *
   * @param ids at most {@link MAX_CHANGED}
   * @param maxGeneration letters of this generation, or a higher one, are `worn-out`; `undefined` forces them
   * @returns one outcome per id, in the same order
   */
  replay(ids: readonly string[], maxGeneration: number | undefined): Promise<ReplayOutcome[]>
  /** Removes letters for good. @param ids at most {@link MAX_CHANGED} @returns how many of them were there */
  purge(ids: readonly string[]): Promise<number>
  /** Drops the oldest letters beyond the bounds, some thousand at most; the rest with the next call. */
  trim(): Promise<void>
  /** Records of whoever uses the box, by name: small, and few. */
  readNotes(): Promise<Map<string, string>>
  /** @param text `undefined` removes the note */
  writeNote(name: string, text: string | undefined): Promise<void>
  close(): Promise<void>
}

/** Letters that one call replays or purges at most. */
export const MAX_CHANGED = 1000

/** Bounds of one shard's letters; beyond them the oldest are dropped, and counted. */
export interface DeadLetterLimits {
  maxEntries: number
  /** Of the bodies. The newest letter stays even when it alone is larger. */
  maxBytes: number
  maxAgeMs: number
}

export const DEFAULT_DEAD_LETTER_LIMITS: DeadLetterLimits = {
  maxEntries: 12_500,
  maxBytes: 64 * 2 ** 20,
  maxAgeMs: 30 * 86_400_000,
}

/** What a store's module exports for it, beside those of `StreamModule`. */
export interface DeadLetterModule {
  openDeadLetterBox(options: unknown): Promise<DeadLetterBox>
}
