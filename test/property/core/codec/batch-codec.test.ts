import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BatchDecoder, BatchEncoder } from '#core/codec/batch-codec'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { SeriesDescriptor } from '#core/model/series'
import { allRows, columnsOf, namedRows, rowsOf, type SampleRow } from '#test/support/sample-rows'

/** Names are as long as allowed once in a while; devices repeat, so that their sequences are shared. */
const series = fc.array(
  fc.record({
    device: fc.oneof(fc.constantFrom('roof', 'cellar'), fc.string({ unit: 'grapheme-composite', maxLength: 20 })),
    channel: fc.string({ unit: 'grapheme-composite', maxLength: 20 }),
    unit: fc.constantFrom('', 'celsius', '°C', 'u'.repeat(32)),
  }),
  { minLength: 1, maxLength: 300, size: 'max' },
)

const time = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 100 }).map((ms) => 1.7e15 + 1000 * ms) },
  { weight: 2, arbitrary: fc.integer({ min: 1.7e15, max: 1.7e15 + 0xffff_ffff }) },
  { weight: 1, arbitrary: fc.maxSafeInteger() },
)
const sequence = fc.oneof(fc.nat(20), fc.integer({ min: 0xffff_fff0, max: 0xffff_ffff }), fc.nat(0xffff_ffff))

const row: fc.Arbitrary<SampleRow> = fc.record({
  series: fc.nat(299),
  value: fc.double({ noNaN: true, noDefaultInfinity: true }),
  takenAtUs: time,
  sequence,
  quality: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(7) }),
  raw: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined, freq: 10 }),
})

/** Rows of all kinds: independent ones, ones that repeat as readings do, and ones that go on steadily. */
const rows = fc
  .array(
    fc.tuple(
      row,
      fc.nat(12),
      fc.integer({ min: -2, max: 2 }).map((step) => 500 * step),
    ),
    { minLength: 1, maxLength: 40 },
  )
  .map((groups) =>
    groups.flatMap(([first, repeats, stepUs]) =>
      Array.from({ length: repeats + 1 }, (_, at) => ({
        ...first,
        series: (first.series + at) % 300,
        takenAtUs: first.takenAtUs + Math.trunc(stepUs * at * (Math.abs(first.takenAtUs) < 2 ** 52 ? 1 : 0)),
        sequence: (first.sequence + (stepUs === 0 ? 0 : at)) >>> 0,
        raw: at === 0 ? first.raw : undefined,
      })),
    ),
  )

const header = fc.record({ producer: fc.string({ maxLength: 30 }), epoch: fc.maxSafeNat(), seq: fc.maxSafeNat() })

function fit(all: SampleRow[], known: SeriesDescriptor[]): SampleRow[] {
  return all.map((one) => ({ ...one, series: one.series % known.length }))
}

test('what is decoded is what was encoded', () => {
  const encoder = new BatchEncoder()
  const decoder = new BatchDecoder()
  fc.assert(
    fc.property(header, series, rows, (head, known, all) => {
      const taken = fit(all, known)
      const { body, samples } = encoder.encode(
        head,
        known,
        columnsOf(taken),
        allRows(taken.length),
        0,
        taken.length,
        1e9,
      )
      const batch = decoder.decode(body)
      assert.equal(samples, taken.length)
      assert.deepEqual(rowsOf(batch), namedRows(taken, known))
      assert.deepEqual([batch.producer, batch.epoch, batch.seq], [head.producer, head.epoch, head.seq])
    }),
    { numRuns: 500 },
  )
})

test('cutting covers all chosen rows once, keeps to the bound, cuts no earlier than it must, and always the same', () => {
  const encoder = new BatchEncoder()
  const decoder = new BatchDecoder()
  const head = { producer: 'hub', epoch: 1, seq: 1 }
  fc.assert(
    fc.property(
      series,
      rows,
      fc.integer({ min: 1, max: 3000 }),
      fc.infiniteStream(fc.boolean()),
      (known, all, maxBytes, picks) => {
        const taken = fit(all, known)
        const columns = columnsOf(taken)
        const chosen = allRows(taken.length).filter(() => picks.next().value)
        const found = []
        for (let from = 0; from < chosen.length; ) {
          const sealed = encoder.encode(head, known, columns, chosen, from, chosen.length, maxBytes)
          assert.deepEqual(
            new BatchEncoder().encode(head, known, columns, chosen, from, chosen.length, maxBytes),
            sealed,
          )
          assert.ok(sealed.samples === 1 || sealed.body.length <= maxBytes)
          assert.equal(sealed.next, from + sealed.samples)
          if (sealed.next < chosen.length) {
            const larger = encoder.encode(head, known, columns, chosen, from, sealed.next + 1, 1e9)
            assert.ok(larger.body.length > maxBytes, `${larger.body.length} bytes would have fitted ${maxBytes}`)
          }
          found.push(...rowsOf(decoder.decode(sealed.body)))
          from = sealed.next
        }
        assert.deepEqual(
          found,
          namedRows(
            [...chosen].map((at) => taken[at]),
            known,
          ),
        )
      },
    ),
    { numRuns: 200 },
  )
})

test('damaged batches are read as another batch or refused, never anything else', () => {
  const encoder = new BatchEncoder()
  const decoder = new BatchDecoder()
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
  let refused = 0
  fc.assert(
    fc.property(series, rows, damage, (known, all, flips) => {
      const taken = fit(all, known)
      const { body } = encoder.encode(
        { producer: 'hub', epoch: 1, seq: 1 },
        known,
        columnsOf(taken),
        allRows(taken.length),
        0,
        taken.length,
        1e9,
      )
      for (const [at, bits] of flips) body[at % body.length] ^= bits
      try {
        const batch = decoder.decode(body)
        assert.ok(batch.values.every(Number.isFinite) && batch.takenAtUs.every(Number.isSafeInteger))
        assert.ok(batch.seriesIndex.every((place) => place < batch.series.length))
        for (const column of [batch.values, batch.takenAtUs, batch.sequences, batch.qualities, batch.seriesIndex]) {
          assert.equal(column.length, batch.count)
        }
      } catch (error) {
        if (!(error instanceof TelemetryError)) throw error
        assert.equal(error.code, 'TLM_BATCH_UNREADABLE')
        refused++
      }
    }),
    { numRuns: 2000 },
  )
  assert.ok(refused > 100, `only ${refused} were refused`)
})
