import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { SealedBatch } from '#core/transport/batch-stream'
import { KeptBatches } from '#workers/spool/kept-batches'

function batch(seq: number, shard = 0): SealedBatch {
  const header = { producer: 'hub.r0', epoch: 7, seq, shard, priority: 1 as const, handler: '*' }
  return { ...header, samples: 10, firstTakenAtUs: 1, body: new Uint8Array(100) }
}

function kept(bytes: number, ageMs = 60_000) {
  const clock = { nowMs: 0, nowUs: () => 0, monotonicMs: () => clock.nowMs }
  return { batches: new KeptBatches({ bytes, ageMs }, clock), clock }
}

const seqsOf = (batches: readonly SealedBatch[]) => batches.map(({ seq }) => seq)

describe('kept batches', () => {
  it('are those between the high water and the batch that met the gap, of its numbering and shard alone', () => {
    const { batches } = kept(10_000)
    for (let seq = 1; seq <= 9; seq++) {
      batches.add(batch(seq))
      batches.add(batch(seq, 1))
    }
    const missing = batches.missing(batch(8), 4)
    assert.deepEqual([seqsOf(missing.kept), missing.lostSamples], [[5, 6, 7], 0])
    assert.deepEqual(batches.missing({ ...batch(8), epoch: 8 }, 4), {
      kept: [],
      lostSamples: 0,
      lostSeqs: [],
    })
    assert.deepEqual(seqsOf(batches.missing(batch(10), 7).kept), [8, 9], 'what was told stays')
  })

  it('leave the knowledge of their samples when bytes or age bid them go, and that is told once', () => {
    const { batches, clock } = kept(500)
    for (let seq = 1; seq <= 9; seq++) batches.add(batch(seq))
    assert.equal(batches.bytes, 500)
    const missing = batches.missing(batch(10), 2)
    assert.deepEqual([seqsOf(missing.kept), missing.lostSamples], [[5, 6, 7, 8, 9], 20])
    assert.deepEqual(missing.lostSeqs, [3, 4])
    assert.equal(batches.missing(batch(10), 2).lostSamples, 0)
    clock.nowMs = 60_001
    batches.trim()
    assert.deepEqual([batches.bytes, batches.missing(batch(10), 2).lostSamples], [0, 50])
  })

  it('are known by their samples alone where another worker delivered them', () => {
    const { batches } = kept(10_000)
    for (let seq = 1; seq <= 3; seq++) batches.learn({ producer: 'hub.r0', epoch: 7, shard: 0 }, seq, 5)
    batches.add(batch(4))
    const missing = batches.missing(batch(5), 1)
    assert.deepEqual([seqsOf(missing.kept), missing.lostSamples], [[4], 10])
  })

  it('are kept once however often they are delivered, and in order whatever order they come in', () => {
    const { batches } = kept(10_000)
    for (const seq of [1, 3, 2, 3, 1]) batches.add(batch(seq))
    assert.equal(batches.bytes, 300)
    assert.deepEqual(seqsOf(batches.missing(batch(4), 0).kept), [1, 2, 3])
  })

  it('take bounded memory: of very many only the sum of the samples is known', () => {
    const { batches } = kept(1000)
    for (let seq = 1; seq <= 20_000; seq++) batches.add(batch(seq))
    const missing = batches.missing(batch(20_001), 0)
    assert.equal(missing.lostSamples + missing.kept.length * 10, 200_000)
    assert.equal(missing.kept.length, 10)
  })
})
