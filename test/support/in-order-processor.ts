import assert from 'node:assert/strict'
import type { BatchStream, OwnedShard } from '#core/transport/batch-stream'
import { numbers, seqs, settlement, until } from '#test/conformance/batch-stream-fixture'
import { codeOf } from './redis-store.js'

/** Calls until the store answers. */
export function persistently<T>(call: () => Promise<T>): Promise<T> {
  return until('the store answers', async () => {
    const answer = await codeOf(call())
    return answer !== 'TLM_STREAM_UNAVAILABLE' && { answer: answer as T }
  }).then(({ answer }) => answer)
}

/** State that says to which entry it has come. */
export const row = (last: number) => new Map([['last', new TextEncoder().encode(String(last))]])

/**
 * Processes entries 1..last like a processor: in order, saving the number it has come to with every settlement, loading
 * it whenever it becomes owner. Throws when an entry is missing, doubled or out of order.
 */
export async function processInOrder(
  stream: BatchStream,
  last: number,
  leaseMs: number,
  { shard: number = 0, onProgress = () => {} }: { shard?: number; onProgress?: (done: number) => void } = {},
): Promise<{ owners: number }> {
  let owners = 0
  for (let done = 0; done < last; ) {
    const shard = await persistently(() => stream.own(number, leaseMs))
    if (shard === undefined) continue
    owners++
    const state = await persistently(() => shard.loadState())
    done = Number(Buffer.from(state.get('last') ?? '0').toString())
    done = await processAsOwner(shard, done, last, onProgress)
  }
  return { owners }
}

async function processAsOwner(
  shard: OwnedShard,
  from: number,
  last: number,
  onProgress: (done: number) => void,
): Promise<number> {
  for (let done = from; done < last; ) {
    const entries = await persistently(() => shard.lease({ maxEntries: 16, maxBytes: 1e6 }, 200))
    if (!(await persistently(() => shard.renew()))) return done
    assert.deepEqual(seqs(entries), numbers(done + 1, done + entries.length))
    const end = settlement({ ack: entries.map(({ id }) => id), state: row(done + entries.length) })
    const { kind } = await persistently(() => shard.settle(end))
    if (kind === 'fenced') return done
    done += entries.length
    onProgress(done)
  }
  return last
}
