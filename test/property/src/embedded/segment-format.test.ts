import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { SealedBatch } from '#core/transport/batch-stream'
import {
  decodeRecordHeader,
  decodeSegmentHeader,
  encodeRecordHeader,
  encodeSegmentHeader,
  followRecords,
} from '#src/embedded/segment-format'

const seed = Number(process.env.TEST_SEED ?? Date.now() % 2 ** 31)

const batch: fc.Arbitrary<Omit<SealedBatch, 'seq'>> = fc.record({
  producer: fc.string({ minLength: 1, maxLength: 128, unit: 'binary' }),
  epoch: fc.maxSafeNat(),
  shard: fc.nat(63),
  priority: fc.constantFrom(0 as const, 1 as const, 2 as const),
  handler: fc.string({ maxLength: 128 }),
  samples: fc.nat(100_000),
  firstTakenAtUs: fc.maxSafeNat(),
  body: fc.uint8Array({ maxLength: 300 }),
})

/** Records 1, 2, 3 ... as they lie in a segment, and where each ends. */
function layOut(batches: readonly Omit<SealedBatch, 'seq'>[]): { bytes: Buffer; ends: number[] } {
  const parts = batches.map((one, i) => {
    const sealed = { ...one, seq: i + 1 }
    return Buffer.concat([encodeRecordHeader(sealed, 5), sealed.body])
  })
  let end = 0
  return { bytes: Buffer.concat(parts), ends: parts.map(({ length }) => (end += length)) }
}

const nothing = { end: 0, highWaterSeq: 0, totals: { entries: 0, samples: 0, bytes: 0 } }

test(`headers come back as they were written (seed ${seed})`, () => {
  fc.assert(
    fc.property(batch, fc.maxSafeNat(), (one, seq) => {
      const { body, producer, epoch, shard, ...said } = one
      const record = decodeRecordHeader(encodeRecordHeader({ ...one, seq: seq + 1, after: seq }, 7), 0)
      assert.ok(record)
      assert.deepEqual({ ...record, ...said, seq: seq + 1, after: seq, storedAtUs: 7, bodyBytes: body.length }, record)
      const totals = { entries: seq, samples: 2 * seq, bytes: 3 }
      const header = { producer: Buffer.from(producer).toString(), epoch, shard, highWaterSeq: seq, totals }
      const { headerBytes, ...segment } = decodeSegmentHeader(encodeSegmentHeader(header))!
      assert.deepEqual(segment, header)
      assert.equal(headerBytes, encodeSegmentHeader(header).length)
    }),
    { seed },
  )
})

test(`of a segment cut off anywhere counts exactly what is whole (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 8 }), fc.nat(4000), (batches, cut) => {
      const { bytes, ends } = layOut(batches)
      const length = Math.min(cut, bytes.length)
      const whole = ends.filter((end) => end <= length).length
      const { end, highWaterSeq, totals } = followRecords(bytes.subarray(0, length), nothing)
      assert.deepEqual([end, highWaterSeq, totals.entries], [ends[whole - 1] ?? 0, whole, whole])
    }),
    { seed, numRuns: 500 },
  )
})

test(`a byte that changed anywhere ends what counts before it (seed ${seed})`, () => {
  fc.assert(
    fc.property(
      fc.array(batch, { minLength: 1, maxLength: 6 }),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (batches, at, flip) => {
        const { bytes, ends } = layOut(batches)
        const changed = at % bytes.length
        bytes[changed] ^= flip
        const whole = ends.filter((end) => end <= changed).length
        assert.equal(followRecords(bytes, nothing).highWaterSeq, whole)
      },
    ),
    { seed, numRuns: 500 },
  )
})

test(`arbitrary bytes are no header, and never throw (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), fc.nat(100), (raw, at) => {
      assert.equal(decodeRecordHeader(Buffer.from(raw), at), undefined)
      assert.equal(decodeSegmentHeader(Buffer.from(raw)), undefined)
      assert.deepEqual(followRecords(Buffer.from(raw), nothing), nothing)
    }),
    { seed },
  )
})
