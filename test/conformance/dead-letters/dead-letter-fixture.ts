import assert from 'node:assert/strict'
import type { LeasedEntry, OwnedShard } from '#core/transport/batch-stream'
import type { BatchTracer } from '#core/transport/batch-tracer'
import type { DeadLetter, DeadLetterBox, DeadLetterLimits, DeadLetterQuery } from '#core/transport/dead-letters'
import { ALL, batch, type FreshStore, SHARDS, StoreFixture, settlement, store } from '../batch-stream-fixture.js'

/** A store of its own for one test whose dead letters can be looked at. */
export interface FreshDeadLetterStore extends FreshStore {
  openDeadLetterBox(shards: number): Promise<DeadLetterBox>
  openBatchTracer(shards: number): Promise<BatchTracer>
}

/** @param limits bounds that everything opened is given; the defaults when absent */
export type CreateDeadLetterStore = (limits?: DeadLetterLimits) => Promise<FreshDeadLetterStore>

export class DeadLetterFixture extends StoreFixture {
  readonly #boxes: { close(): Promise<void> }[] = []
  readonly #fresh: FreshDeadLetterStore

  constructor(fresh: FreshDeadLetterStore) {
    super(fresh)
    this.#fresh = fresh
  }

  async box(shards = SHARDS): Promise<DeadLetterBox> {
    const box = await this.#fresh.openDeadLetterBox(shards)
    this.#boxes.push(box)
    return box
  }

  async tracer(shards = SHARDS): Promise<BatchTracer> {
    const tracer = await this.#fresh.openBatchTracer(shards)
    this.#boxes.push(tracer)
    return tracer
  }

  override async end(): Promise<void> {
    for (const box of this.#boxes) await box.close()
    await super.end()
  }

  /** Stores batches `from..to` on the shard and lets them die, one settlement each; owned until the end of the test. */
  async bury(shard: OwnedShard, from: number, to: number, kind = 'test', message = 'of nothing'): Promise<void> {
    const producer = await this.producer()
    for (let seq = from; seq <= to; seq++) {
      await store(producer, [batch(seq, { shard: shard.shard })])
      await die(shard, await leaseOne(shard), kind, message)
    }
  }
}

export async function leaseOne(shard: OwnedShard, waitMs = 5000): Promise<LeasedEntry> {
  const [entry] = await shard.lease({ ...ALL, maxEntries: 1 }, waitMs)
  assert.ok(entry, 'there should have been an entry')
  return entry
}

export async function die(shard: OwnedShard, entry: LeasedEntry, kind = 'test', message = 'of nothing'): Promise<void> {
  const { id, priority } = entry
  const result = await shard.settle(settlement({ deadLetter: [{ id, priority, class: kind, message }] }))
  assert.deepEqual(result, { kind: 'settled' })
}

/** All letters of a query, page by page. */
export async function allLetters(box: DeadLetterBox, query: Partial<DeadLetterQuery> = {}): Promise<DeadLetter[]> {
  const letters: DeadLetter[] = []
  let cursor: string | undefined
  do {
    const page = await box.page({ filter: {}, order: 'oldest-first', limit: 100, ...query, cursor })
    letters.push(...page.letters)
    cursor = page.cursor
  } while (cursor !== undefined)
  return letters
}

export function seqsOf(letters: readonly DeadLetter[]): number[] {
  return letters.map(({ correlationId }) => Number(correlationId.slice(correlationId.lastIndexOf('.') + 1)))
}
