import type { ModelShard } from './model-shard.js'

export type Argument = string | number | Buffer

/** An error that the server answers with. */
export class ServerError extends Error {}

/** What the tests of the tests break in the store. */
export type StoreFlaw =
  /** Settlements and renewals of former owners take effect. */
  | 'no fence'
  /** Batches are stored again when they are sent again. */
  | 'no high water'
  /** A new owner reads on where the former one had read to. */
  | 'no leftovers'
  /** After a lost reply the owner reads on behind what that reply had. */
  | 'no regroup'
  /** A settlement that arrives late undoes a later one. */
  | 'no settlement numbers'

/** What happened in the store, for whoever watches it. */
export interface StoreWatcher {
  /** `body` was stored. */
  appended(shard: number, batchId: string, body: Uint8Array): void
  /** A settlement takes effect. @param isOwner whether the one who made it owns the shard */
  settlementMade(shard: number, isOwner: boolean, acked: readonly string[], dead: readonly string[]): void
  highWater(shard: number, field: string, before: number, after: number): void
  /** The shard gets another owner. @param former its holder, or '' @param state rows as they are */
  takenOver(former: string, state: ReadonlyMap<string, Uint8Array>): void
  /** A copy of what the watcher knows, for {@link wentBackTo}. */
  remember(): unknown
  wentBackTo(memory: unknown): void
}

/** One call of a script. */
export interface ScriptCall {
  readonly shard: ModelShard
  readonly shardNumber: number
  /** Milliseconds by the server's clock, whole. */
  readonly nowMs: number
  readonly args: readonly Argument[]
  readonly flaws: ReadonlySet<StoreFlaw>
  readonly watcher: StoreWatcher
  /** A consumer group is gone: whoever waits in it is told so. */
  groupsGone(): void
  /** Entries were added: whoever waits for them gets them. */
  entriesAdded(): void
}

export const FENCED = -2

export function textOf(argument: Argument): string {
  return Buffer.isBuffer(argument) ? argument.toString() : String(argument)
}

export function bytesOf(argument: Argument): Buffer {
  return Buffer.isBuffer(argument) ? argument : Buffer.from(String(argument))
}

export function numberOf(argument: Argument): number {
  return Number(Buffer.isBuffer(argument) ? argument.toString() : argument)
}
