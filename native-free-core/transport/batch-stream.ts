/**
 * The contract between hub and processor: a sharded, durable stream of sealed batches.
 *
 * A source stays on one shard. A shard has one owner at a time, who alone reads and settles it; whatever the owner
 * wants kept (its handlers' state) is saved in the same step that acknowledges the entries it covers. Implementations:
 * `transport/redis` (many hosts) and `src/embedded` (one host, files). Both pass `test/conformance/batch-stream-suite`.
 *
 * A module that implements it exports `openBatchProducer` and `openBatchStream`: workers load it by URL.
 */
import type { BatchHeader } from '../model/batch.js'
import type { Priority } from '../model/priority.js'

/** Handler types an entry asks for: one type, or `*` for all that the processor has configured. */
export type HandlerSelector = string

/** A batch on its way into the stream. */
export interface SealedBatch extends BatchHeader {
  /** 0 .. shards-1. */
  shard: number
  priority: Priority
  handler: HandlerSelector
  /** The batch before this one in its numbering: the store must have seen that and none later. Absent: `seq - 1`. */
  after?: number
  /** Number of samples in `body`. */
  samples: number
  /** Earliest `takenAtUs` in the batch. */
  firstTakenAtUs: number
  /** Columnar msgpack, see `codec/batch-codec`. Opaque to transports. Must not change until the outcome is known. */
  body: Uint8Array
}

/**
 * What became of one appended batch. The store keeps, per (producer, epoch, shard), the highest seq it has stored: its
 * high water, 0 before the first.
 *
 * - `stored`: the high water was `after`; durable as far as the store promises.
 * - `duplicate`: the high water is `seq` or more; nothing was added.
 * - `gap`: the high water is another one: an earlier batch was refused, or the store went back in time. Nothing was
 *   added; send again what comes after `highWaterSeq`, or, when that is gone (count it), the rest with `after` set to it.
 * - `unavailable`: nothing is known, the batch may be stored: send again, `duplicate` tells.
 * - `refused`: certainly not stored. `full` passes with time, `misconfigured` needs an operator.
 */
export type AppendOutcome =
  | { kind: 'stored' }
  | { kind: 'duplicate' }
  | { kind: 'gap'; highWaterSeq: number }
  | { kind: 'unavailable'; message: string }
  | { kind: 'refused'; reason: 'full' | 'misconfigured'; message: string }

/** Writes batches. Thread: whichever opened it; not shared. */
export interface BatchProducer {
  readonly shards: number
  /**
   * Appends in order, pipelined; never throws for a store that fails, the outcomes say it. May be called again before
   * the last call has resolved: the calls then apply in the order they were made.
   *
   * @returns one outcome per batch, in the same order
   */
  append(batches: readonly SealedBatch[]): Promise<AppendOutcome[]>
  close(): Promise<void>
}

/** A batch leased to the shard's owner. */
export interface LeasedEntry {
  /** Opaque; grows within one shard, priority and ownership. Another owner may be given the entry with another id. */
  id: string
  priority: Priority
  /**
   * Times the entry was handed to an owner, from 1, since it was stored or last put back untouched. Not the number of
   * handler attempts.
   */
  deliveryCount: number
  /** Handler attempts that failed before. */
  attempts: number
  handler: HandlerSelector
  /** `batchId` of the sealed batch. */
  correlationId: string
  samples: number
  firstTakenAtUs: number
  body: Uint8Array
}

/** An entry that is put back for a later try. */
export interface RetryOrder {
  id: string
  priority: Priority
  /** Handler attempts that failed so far. */
  attempts: number
  afterMs: number
  /** What it asks for from now on: the rest is done. Absent: as before. */
  handler?: HandlerSelector
  /** Its deliveries so far do not count: it was put back in good order. */
  isUntouched?: boolean
}

/** An entry that is put aside, or a part of one. */
export interface DeadLetterOrder {
  id: string
  priority: Priority
  class: string
  message: string
  /**
   * The part that is put aside, as a batch of its own; the rest of the entry counts as acknowledged. One entry may be named
   * with several parts. Absent: all of the entry.
   */
  part?: DeadPart
}

export interface DeadPart {
  correlationId: string
  samples: number
  firstTakenAtUs: number
  body: Uint8Array
}

/**
 * How the owner ends its leases, and the state to keep. With rows of state it is applied in one atomic step; without, each
 * entry's part is, and a store may cut a large settlement into steps. An entry's first naming counts.
 */
export interface Settlement {
  ack: readonly string[]
  retry: readonly RetryOrder[]
  deadLetter: readonly DeadLetterOrder[]
  /** Rows of state to replace; `undefined` bytes delete the row. Rows not named stay. */
  state: ReadonlyMap<string, Uint8Array | undefined>
}

export interface SettleResult {
  /**
   * `fenced`: the shard has another owner by now. Nothing was changed; of a settlement without state, nothing that was not
   * settled before the shard was lost.
   */
  kind: 'settled' | 'fenced'
}

/**
 * One shard, owned. All calls throw `TLM_STREAM_UNAVAILABLE` when the store cannot be reached.
 *
 * A former owner that was merely paused must not be able to take entries away from the new one, not even by a read that
 * was under way: its calls find nothing or throw.
 */
export interface OwnedShard {
  readonly shard: number
  /** Grows with every change of owner. */
  readonly token: number
  /** Rows saved by the last settlement of whichever owner. */
  loadState(): Promise<Map<string, Uint8Array>>
  /**
   * Leases the next entries. Each priority is in order: first those a former owner left unsettled, then new ones. Between
   * priorities `policy/priority-turns` decides: high, normal and low share the bytes 8 : 4 : 1 while all of them wait, and
   * an entry older than its priority's limit goes next; so high waits little, and low moves whatever else comes. Entries
   * may be leased while earlier ones are not settled yet; each is given once to one owner.
   *
   * Waits up to `waitMs` for the first entry; `[]` when none came, or when `signal` aborts.
   */
  lease(limits: { maxEntries: number; maxBytes: number }, waitMs: number, signal?: AbortSignal): Promise<LeasedEntry[]>
  /** Extends the ownership by its lease; `false`: lost to another owner, stop all work on the shard. */
  renew(): Promise<boolean>
  settle(settlement: Settlement): Promise<SettleResult>
  /** Gives the shard up; unsettled entries go to the next owner at once. */
  release(): Promise<void>
}

export interface ShardDepth {
  shard: number
  /** Entries not yet settled, also those that wait for a retry. */
  entries: number
  /** Samples not yet settled. */
  samples: number
  bytes: number
  deadLetters: number
  /** How many of the entries wait for a retry. */
  delayed: number
  /** Wall time at which the oldest unsettled entry was stored, microseconds; `undefined` when empty. */
  oldestStoredAtUs: number | undefined
  owner: string | undefined
}

/** Reads batches. Thread: main thread of a processor (or tools). */
export interface BatchStream {
  readonly shards: number
  /**
   * Takes the shard when it is free or its owner's lease has ended; `undefined` when somebody else holds it.
   *
   * @param leaseMs how long ownership lasts without {@link OwnedShard.renew}
   */
  own(shard: number, leaseMs: number): Promise<OwnedShard | undefined>
  /** Tells that this holder lives, for `memberMs`, and returns all living holders, sorted. */
  beat(memberMs: number): Promise<string[]>
  depths(): Promise<ShardDepth[]>
  close(): Promise<void>
}

/** What a worker needs to open a stream: the module that knows how, and plain data for it. */
export interface StreamLocator {
  /** `file:` URL of a module exporting {@link StreamModule}. */
  moduleUrl: string
  /** Structured-clonable options of that module, e.g. host and port, or a directory. */
  options: unknown
}

export interface StreamModule {
  openBatchProducer(options: unknown): Promise<BatchProducer>
  /** @param holder unique name of this process, e.g. `host-pid-boot` */
  openBatchStream(options: unknown, holder: string): Promise<BatchStream>
}
