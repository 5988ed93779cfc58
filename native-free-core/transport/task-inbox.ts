/**
 * The contract of the inbox for tasks that anybody pushes (`RPUSH telemetry:tasks`): one owner at a time moves them,
 * validated and batched, into the {@link BatchStream}. Only Redis has one: an embedded store has no foreign writers.
 */
import type { SettleResult } from './batch-stream.js'

/** One pushed task as bytes: JSON of either dialect or msgpack, see `codec/task-json`. */
export interface InboxEntry {
  id: string
  /** Grows strictly with arrival, also across owners; fit as the seq of a batch made of entries up to this one. */
  seq: number
  body: Uint8Array
}

export interface OwnedInbox {
  /** First what a former owner left unsettled, then new tasks; `[]` when none came within `waitMs`. */
  lease(maxEntries: number, waitMs: number, signal?: AbortSignal): Promise<InboxEntry[]>
  renew(): Promise<boolean>
  /** Removes entries for good; dead letters are kept with their reason where an operator finds them. */
  settle(settlement: InboxSettlement): Promise<SettleResult>
  release(): Promise<void>
}

export interface InboxSettlement {
  ack: readonly string[]
  deadLetter: readonly { id: string; class: string; message: string }[]
}

export interface TaskInbox {
  /** `undefined` while somebody else owns it. */
  own(leaseMs: number): Promise<OwnedInbox | undefined>
  /** Tasks waiting: still in the list, and taken but not settled. */
  backlog(): Promise<number>
  close(): Promise<void>
}
