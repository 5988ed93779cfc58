import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSealJournal, HISTORY, type JournalOptions } from '#core/journal/layout'
import { SealJournal } from '#core/journal/seal-journal'

const NOTHING = {
  batchesStored: 0,
  batchesDuplicate: 0,
  bytesStored: 0,
  closedBySamples: 0,
  closedByBytes: 0,
  closedByAge: 0,
  closedByStop: 0,
  samplesSpooled: 0,
  batchesSpooled: 0,
}
const START = 2 ** 32 - 20

function journalWith(options: Partial<JournalOptions> = {}) {
  const memory = createSealJournal({ shards: 2, maxInFlight: 2, startIndex: START, ...options })
  return { memory, journal: new SealJournal(memory) }
}

function chunkAt(first: number, samples: number) {
  return { first, samples, batches: 1, reason: 'age' as const }
}

describe('the seal journal', () => {
  it('gives a successor the chunks that were sealed and not settled, across the wrap of its counters', () => {
    const { memory, journal } = journalWith({ startChunk: 2 ** 32 - 1 })
    journal.seal(chunkAt(START, 15), Float64Array.of(1, 0))
    journal.seal(chunkAt(START + 15, 10), Float64Array.of(1, 1))
    const successor = new SealJournal(memory)
    const chunks = successor.unsettled()
    assert.deepEqual(
      chunks.map(({ first, samples, reason }) => [first, samples, reason]),
      [
        [START, 15, 'age'],
        [START + 15, 10, 'age'],
      ],
    )
    assert.deepEqual([...successor.seqsBefore(chunks[0].number)], [0, 0])
    assert.deepEqual([...successor.seqsBefore(chunks[1].number)], [1, 0])
    assert.deepEqual([...successor.seqsBefore()], [1, 1])
    assert.equal(successor.batchesInFlight, 2)
  })

  it('counts what is settled together with the ring index it reaches to', () => {
    const { journal } = journalWith()
    journal.seal(chunkAt(START, 15), Float64Array.of(1, 0))
    journal.seal(chunkAt(START + 15, 10), Float64Array.of(1, 1))
    assert.equal(journal.totals().settledIndex, START)
    journal.settle([{ shard: 0, seq: 1, samples: 15 }], {
      ...NOTHING,
      batchesStored: 1,
      bytesStored: 700,
      closedByAge: 1,
    })
    journal.settle([{ shard: 1, seq: 1, samples: 10 }], { ...NOTHING, batchesDuplicate: 1, closedByStop: 1 })
    assert.deepEqual(journal.totals(), {
      ...NOTHING,
      samplesDelivered: 25,
      samplesRolledBack: 0,
      batchesStored: 1,
      batchesDuplicate: 1,
      bytesStored: 700,
      closedByAge: 1,
      closedByStop: 1,
      samplesSpooled: 0,
      batchesSpooled: 0,
      settledIndex: 5,
    })
    assert.deepEqual(journal.unsettled(), [])
  })

  it('refuses more chunks than are allowed in flight', () => {
    const { journal } = journalWith({ maxInFlight: 1 })
    journal.seal(chunkAt(START, 1), Float64Array.of(1, 0))
    assert.throws(() => journal.seal(chunkAt(START + 1, 1), Float64Array.of(2, 0)), { code: 'TLM_INVARIANT_BROKEN' })
  })

  it('moves what the store lost from delivered to rolled back, once, whoever settles', () => {
    const { memory, journal } = journalWith()
    deliver(journal, 0, [10, 20, 30])
    const number = journal.seal(chunkAt(START, 5), Float64Array.of(4, 0))
    assert.equal(journal.rollBack(number, 0, 1), 50)
    const successor = new SealJournal(memory)
    assert.equal(successor.afterOf(number, 0), 1)
    assert.equal(successor.rollBack(number, 0, 1), 50, 'the same again changes nothing')
    successor.settle([{ shard: 0, seq: 4, samples: 5 }], NOTHING)
    const { samplesDelivered, samplesRolledBack } = successor.totals()
    assert.deepEqual([samplesDelivered, samplesRolledBack], [15, 50])
  })

  it('does not count a batch as lost twice when the store goes back further', () => {
    const { journal } = journalWith()
    deliver(journal, 0, [10, 20, 30])
    const fourth = journal.seal(chunkAt(START, 5), Float64Array.of(4, 0))
    journal.rollBack(fourth, 0, 2)
    journal.settle([{ shard: 0, seq: 4, samples: 5 }], NOTHING)
    const fifth = journal.seal(chunkAt(START, 7), Float64Array.of(5, 0))
    assert.equal(journal.rollBack(fifth, 0, 1), 25, 'batch 2 and 4, not 3 again')
    journal.settle([{ shard: 0, seq: 5, samples: 7 }], NOTHING)
    const { samplesDelivered, samplesRolledBack } = journal.totals()
    assert.deepEqual([samplesDelivered, samplesRolledBack], [17, 55])
  })

  it('takes a roll-back that was none after all back', () => {
    const { journal } = journalWith()
    deliver(journal, 1, [10])
    const number = journal.seal(chunkAt(START, 5), Float64Array.of(0, 2))
    journal.rollBack(number, 1, 0)
    journal.rollBack(number, 1, undefined)
    journal.settle([{ shard: 1, seq: 2, samples: 5 }], NOTHING)
    assert.equal(journal.totals().samplesDelivered, 15)
  })

  it('counts everything of the shard as lost, at most, when the store went back further than it remembers', () => {
    const { journal } = journalWith()
    deliver(journal, 0, Array(HISTORY).fill(2))
    const number = journal.seal(chunkAt(START, 1), Float64Array.of(HISTORY + 1, 0))
    assert.equal(journal.rollBack(number, 0, 5), 2 * HISTORY)
    assert.equal(journal.rollBack(number, 0, HISTORY - 10), 20)
  })

  it('refuses memory that is no journal', () => {
    assert.throws(() => new SealJournal(new SharedArrayBuffer(8)), { code: 'TLM_OPTIONS_INVALID' })
    assert.throws(() => new SealJournal(new SharedArrayBuffer(100_000)), { code: 'TLM_OPTIONS_INVALID' })
    assert.throws(() => createSealJournal({ shards: 65, maxInFlight: 1 }), { code: 'TLM_OPTIONS_INVALID' })
  })
})

/** Seals and settles batches 1, 2, ... of one shard, each a chunk of its own. */
function deliver(journal: SealJournal, shard: number, sizes: readonly number[]): void {
  for (const [index, samples] of sizes.entries()) {
    const seqs = new Float64Array(2)
    seqs[shard] = index + 1
    journal.seal(chunkAt(START, samples), seqs)
    journal.settle([{ shard, seq: index + 1, samples }], NOTHING)
  }
}
