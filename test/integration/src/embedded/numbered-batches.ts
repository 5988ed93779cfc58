/** Batches whose every byte follows from their number, so that a test can tell a whole one from any other. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Priority } from '#core/model/priority'
import type { BatchStream, LeasedEntry, OwnedShard, SealedBatch } from '#core/transport/batch-stream'

export const EPOCH = 1_700_000_000_000_000
export const LIMITS = { maxEntries: 64, maxBytes: 2 ** 20 }

/** Runs `test` with a directory of its own, removed afterwards. */
export async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'embedded-store-'))
  try {
    await test(directory)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

export function numberedBatch(seq: number, producer = 'hub-1.r0'): SealedBatch {
  return {
    producer,
    epoch: EPOCH,
    seq,
    shard: 0,
    priority: 1,
    handler: '*',
    samples: samplesOf(seq),
    firstTakenAtUs: EPOCH + seq,
    body: bodyOf(seq),
  }
}

export function samplesOf(seq: number): number {
  return 1 + (seq % 100)
}

/** Up to 9 KB, now and then 70 KB. */
function bodyOf(seq: number): Uint8Array {
  const length = seq % 50 === 0 ? 70_000 : (seq * 7919) % 9000
  return new Uint8Array(length).fill(seq & 255)
}

export function seqOf({ correlationId }: LeasedEntry): number {
  return Number(correlationId.slice(correlationId.lastIndexOf('.') + 1))
}

/** Insists that the entry is its batch, byte for byte. */
export function checkEntry(entry: LeasedEntry, priority: Priority = 1): void {
  const seq = seqOf(entry)
  const expected = numberedBatch(seq)
  assert.ok(Buffer.from(expected.body).equals(entry.body), `body of batch ${seq}`)
  assert.deepEqual([entry.samples, entry.priority, entry.firstTakenAtUs], [samplesOf(seq), priority, EPOCH + seq])
}

export async function ownShard(stream: BatchStream, leaseMs = 60_000): Promise<OwnedShard> {
  const shard = await stream.own(0, leaseMs)
  assert.ok(shard, 'the shard should be free')
  return shard
}

export async function acknowledge(shard: OwnedShard, entries: readonly LeasedEntry[]): Promise<void> {
  const settlement = { ack: entries.map(({ id }) => id), retry: [], deadLetter: [], state: new Map() }
  assert.deepEqual(await shard.settle(settlement), { kind: 'settled' })
}

/** Takes all entries, until none comes within `waitMs`, checks each and that their numbers go on from `lastSeq` without gaps. @returns the new last */
export async function drainInOrder(shard: OwnedShard, lastSeq: number, waitMs = 0): Promise<number> {
  let last = lastSeq
  for (;;) {
    const entries = await shard.lease(LIMITS, waitMs)
    if (entries.length === 0) return last
    for (const entry of entries) {
      assert.equal(seqOf(entry), last + 1, 'the next batch in order, once')
      checkEntry(entry)
      last++
    }
    await acknowledge(shard, entries)
  }
}

/** Small seeded generator (xorshift32), in [0, 1). */
export function random(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
