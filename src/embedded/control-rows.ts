/**
 * Rows of the two LMDB environments, all keyed by what they are and their shard.
 *
 * `control` outlives a power cut: who may settle, how far was settled, and what settling left. `session` holds what
 * a reboot ends anyway: leases, living holders, who was handed what.
 */
import type { Priority } from '#core/model/priority'
import type { RowKey } from './row-store.js'

/** In both environments: the holder with its token as the row's version. Settling is conditional on it. */
export interface OwnerRow {
  /** Absent after a release. */
  holder: string | undefined
}

/** In `session`: how long the owner's lease lasts, by the lease clock; the version counts changes. */
export interface UntilRow {
  untilMs: number
}

/** In `session`: a holder lives until then. */
export interface MemberRow {
  untilMs: number
}

/** In `session`: the highest seq handed out by priority. */
export interface HandedRow {
  toSeq: [number, number, number]
}

/** In `control`: an entry that waits to be tried again, in a row of its own beside its body. */
export interface RetryRow {
  dueAtMs: number
  priority: Priority
  attempts: number
  deliveryCount: number
  handler: string
  correlationId: string
  samples: number
  bytes: number
  firstTakenAtUs: number
  storedAtUs: number
}

/** In `control`: an entry that nobody could process, or a stretch of the log that nobody could read. */
export interface DeadRow {
  class: string
  message: string
  correlationId: string
  handler: string
  priority: Priority | undefined
  attempts: number
  samples: number
  firstTakenAtUs: number | undefined
  diedAtUs: number
  /** Bytes of the row with its body, as counted in {@link ShardRow.deadBytes}. */
  bytes: number
}

/** In `control`: counters of the shard. */
export interface ShardRow {
  nextRetry: number
  /** Dead letters are `firstDead .. nextDead - 1`. */
  firstDead: number
  nextDead: number
  deadBytes: number
}

export const NEW_SHARD: ShardRow = { nextRetry: 1, firstDead: 1, nextDead: 1, deadBytes: 0 }

export const ROWS = {
  owner: (shard: number): RowKey => ['owner', shard],
  until: (shard: number): RowKey => ['until', shard],
  member: (holder: string): RowKey => ['member', 0, holder],
  members: (): RowKey => ['member', 0],
  handedOf: (shard: number): RowKey => ['handed', shard],
  handed: (shard: number, numbering: string): RowKey => ['handed', shard, numbering],
  /** How often an entry was handed out, from the second time on. */
  deliveries: (shard: number, numbering: string, seq: number): RowKey => ['deliveries', shard, numbering, seq],
  deliveriesOf: (shard: number): RowKey => ['deliveries', shard],
  cursor: (shard: number, numbering: string): RowKey => ['cursor', shard, numbering],
  cursors: (shard: number): RowKey => ['cursor', shard],
  shard: (shard: number): RowKey => ['shard', shard],
  retry: (shard: number, n: number): RowKey => ['retry', shard, n],
  retries: (shard: number): RowKey => ['retry', shard],
  retryBody: (shard: number, n: number): RowKey => ['retry-body', shard, n],
  dead: (shard: number, n: number): RowKey => ['dead', shard, n],
  deadBody: (shard: number, n: number): RowKey => ['dead-body', shard, n],
  state: (shard: number, row: string): RowKey => ['state', shard, row],
  states: (shard: number): RowKey => ['state', shard],
} as const
