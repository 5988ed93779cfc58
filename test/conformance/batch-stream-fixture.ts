import assert from 'node:assert/strict'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Priority } from '#core/model/priority'
import type {
  BatchProducer,
  BatchStream,
  LeasedEntry,
  OwnedShard,
  SealedBatch,
  Settlement,
} from '#core/transport/batch-stream'

/** A store of its own for one test: empty at first, removed by `remove`. All its openers meet in the same data. */
export interface FreshStore {
  openProducer(shards: number): Promise<BatchProducer>
  openStream(holder: string, shards: number): Promise<BatchStream>
  /** Called once, after everything opened is closed. */
  remove(): Promise<void>
}

export const SHARDS = 2
/** Longer than any test: ownership that is meant to last. */
export const LONG_MS = 60_000
/** Ownership that is meant to end. */
export const SHORT_MS = 150
export const ALL = { maxEntries: 10_000, maxBytes: 1e9 }

/** One test's store, with everything it opened. */
export class StoreFixture {
  readonly #store: FreshStore
  readonly #opened: { close(): Promise<void> }[] = []

  constructor(store: FreshStore) {
    this.#store = store
  }

  producer(shards = SHARDS): Promise<BatchProducer> {
    return this.#keep(this.#store.openProducer(shards))
  }

  stream(holder = 'holder-a', shards = SHARDS): Promise<BatchStream> {
    return this.#keep(this.#store.openStream(holder, shards))
  }

  /** Opens a stream and owns the shard. */
  async owner(holder = 'holder-a', shard = 0, leaseMs = LONG_MS): Promise<OwnedShard> {
    return owned(await (await this.stream(holder)).own(shard, leaseMs))
  }

  async end(): Promise<void> {
    for (const opened of this.#opened.reverse()) await opened.close()
    await this.#store.remove()
  }

  async #keep<T extends { close(): Promise<void> }>(opening: Promise<T>): Promise<T> {
    const opened = await opening
    this.#opened.push(opened)
    return opened
  }
}

/** Batch number `seq` of a producer, with a body that tells both. */
export function batch(seq: number, fields: Partial<SealedBatch> = {}): SealedBatch {
  const producer = fields.producer ?? 'hub-1.r0'
  return {
    producer,
    epoch: 1_700_000_000_000_000,
    seq,
    shard: 0,
    priority: 1,
    handler: '*',
    samples: 10,
    firstTakenAtUs: 1_700_000_000_000_000 + seq,
    body: new TextEncoder().encode(`${producer} ${seq}`),
    ...fields,
  }
}

/** Batches `from..to`. */
export function batches(from: number, to: number, fields: Partial<SealedBatch> = {}): SealedBatch[] {
  return Array.from({ length: to - from + 1 }, (_, i) => batch(from + i, fields))
}

/** Appends and insists that all were stored. */
export async function store(producer: BatchProducer, items: readonly SealedBatch[]): Promise<void> {
  for (const outcome of await producer.append(items)) assert.deepEqual(outcome, { kind: 'stored' })
}

export function owned(shard: OwnedShard | undefined): OwnedShard {
  assert.ok(shard, 'the shard should have been free')
  return shard
}

/** Owns the shard as soon as its owner's lease has ended. */
export function ownWhenFree(stream: BatchStream, shard = 0, leaseMs = LONG_MS): Promise<OwnedShard> {
  return until('the shard becomes free', () => stream.own(shard, leaseMs))
}

/** Leases until nothing is left. */
export async function leaseAll(shard: OwnedShard, limits = ALL): Promise<LeasedEntry[]> {
  const entries: LeasedEntry[] = []
  for (;;) {
    const some = await shard.lease(limits, 0)
    if (some.length === 0) return entries
    entries.push(...some)
  }
}

/** `seq` of every entry. */
export function seqs(entries: readonly LeasedEntry[]): number[] {
  return entries.map(({ correlationId }) => Number(correlationId.slice(correlationId.lastIndexOf('.') + 1)))
}

/** `[priority, seq]` of every entry. */
export function ranks(entries: readonly LeasedEntry[]): [Priority, number][] {
  const numbers = seqs(entries)
  return entries.map(({ priority }, i) => [priority, numbers[i]])
}

export function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** A settlement with only what is given. */
export function settlement(parts: Partial<Settlement>): Settlement {
  return { ack: [], retry: [], deadLetter: [], state: new Map(), ...parts }
}

/** Acknowledges the entries and insists that it was done. */
export async function ack(shard: OwnedShard, entries: readonly LeasedEntry[]): Promise<void> {
  const result = await shard.settle(settlement({ ack: entries.map(({ id }) => id) }))
  assert.deepEqual(result, { kind: 'settled' })
}

/** Asks again and again, without pausing, until the answer is neither undefined nor false. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>, withinMs = 10_000): Promise<T> {
  const start = performance.now()
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() - start > withinMs) throw new Error(`Not within ${withinMs} ms: ${what}.`)
    await nextTurn()
  }
}

/** What a call of a former owner may come to: nothing, or the error that says so. */
export async function findsNothing(lease: Promise<LeasedEntry[]>): Promise<void> {
  const entries = await lease.catch((error: { code?: string }) => {
    assert.equal(error.code, 'TLM_STREAM_UNAVAILABLE')
    return []
  })
  assert.deepEqual(seqs(entries), [])
}
