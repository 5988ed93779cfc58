import type { AppendOutcome, BatchProducer, SealedBatch } from '#core/transport/batch-stream'

/** What a store does with one call of `append`. */
export type StoreMood =
  | 'well'
  /** Stores nothing, and nobody knows. */
  | 'away'
  /** Stores all, but the reply is lost. */
  | 'reply lost'
  /** Stores the first half of the call and loses the reply. */
  | 'half'
  | 'full'
  | 'misconfigured'
  /** Has forgotten the newer half of what it had, and is well. */
  | 'forgetful'

/**
 * The contract of {@link BatchProducer} in memory, with a mood for every call and a past to go back to. It outlives its
 * producers: what one of them sent may still arrive when another has taken over.
 */
export class MemoryStore {
  readonly shards: number
  /** All that was stored, in order. */
  entries: SealedBatch[] = []
  #highWater = new Map<string, number>()
  /** Decides what becomes of the next call. */
  mood: () => StoreMood = () => 'well'
  calls = 0

  constructor(shards: number) {
    this.shards = shards
  }

  openProducer(): BatchProducer {
    return {
      shards: this.shards,
      append: async (batches) => {
        // As with a socket: what was sent arrives later, whatever has become of the sender.
        await new Promise((resolve) => setImmediate(resolve))
        return this.#append(batches)
      },
      close: async () => {},
    }
  }

  highWaterOf(batch: SealedBatch): number {
    return this.#highWater.get(keyOf(batch)) ?? 0
  }

  /** Forgets all but the first so many entries, as a fail-over to a stale replica does. */
  goBackTo(entries: number): void {
    this.restore(this.entries.slice(0, entries))
  }

  /** Has exactly these entries, as after a fail-over to a server that has them. */
  restore(entries: readonly SealedBatch[]): void {
    this.entries = [...entries]
    this.#highWater = new Map()
    for (const entry of this.entries) this.#highWater.set(keyOf(entry), entry.seq)
  }

  #append(batches: readonly SealedBatch[]): AppendOutcome[] {
    this.calls++
    const mood = this.mood()
    if (mood === 'forgetful') this.goBackTo(Math.floor(this.entries.length / 2))
    if (mood === 'well' || mood === 'forgetful') return batches.map((batch) => this.#appendOne(batch))
    if (mood === 'full' || mood === 'misconfigured') {
      return batches.map(() => ({ kind: 'refused', reason: mood, message: `the store is ${mood}` }))
    }
    const arriving = mood === 'away' ? 0 : mood === 'half' ? Math.ceil(batches.length / 2) : batches.length
    for (const batch of batches.slice(0, arriving)) this.#appendOne(batch)
    return batches.map(() => ({ kind: 'unavailable', message: 'the connection was lost' }))
  }

  #appendOne(batch: SealedBatch): AppendOutcome {
    const highWaterSeq = this.highWaterOf(batch)
    if (highWaterSeq >= batch.seq) return { kind: 'duplicate' }
    if (highWaterSeq !== (batch.after ?? batch.seq - 1)) return { kind: 'gap', highWaterSeq }
    this.#highWater.set(keyOf(batch), batch.seq)
    this.entries.push(batch)
    return { kind: 'stored' }
  }
}

function keyOf({ producer, epoch, shard }: SealedBatch): string {
  return `${producer}.${epoch}.${shard}`
}
