import assert from 'node:assert/strict'
import { test } from 'node:test'
import { unpack } from 'msgpackr'
import { BatchDecoder, BatchEncoder, MAX_BATCH_SAMPLES } from '#core/codec/batch-codec'
import type { SeriesDescriptor } from '#core/model/series'
import {
  allRows,
  channelsOf,
  columnsOf,
  namedRows,
  rowsOf,
  type SampleRow,
  steadyRows,
} from '#test/support/sample-rows'

const BROKEN = { code: 'TLM_INVARIANT_BROKEN' }
const HEADER = { producer: 'hub-1.r0', epoch: 1_700_000_000_000_000, seq: 7 }
const SERIES: SeriesDescriptor[] = [
  { device: 'roof', channel: 'temperature', unit: 'celsius' },
  { device: 'roof', channel: 'humidity', unit: 'percent' },
  { device: 'cellar', channel: 'Füllstand', unit: '' },
]
const ROWS: SampleRow[] = [
  { series: 1, value: 48.5, takenAtUs: 1_700_000_000_000_500, sequence: 41, quality: 0, raw: Uint8Array.of(1, 255) },
  { series: 0, value: -0, takenAtUs: 1_700_000_000_000_500, sequence: 41, quality: 2 },
  { series: 2, value: 1e-300, takenAtUs: 1_700_000_000_000_200, sequence: 0xffff_ffff, quality: 2 },
  { series: 1, value: 48.25, takenAtUs: 1_700_000_000_001_500, sequence: 42, quality: 0 },
  { series: 2, value: 2, takenAtUs: 1_700_000_000_002_000, sequence: 0, quality: 0 },
]
/** A change of these bytes is a change of the stored format: it needs a new version and a reader of this one. */
const GOLDEN =
  '9e01a86875622d312e7230cb4318289060790000cb401c000000000000dd0000000393a4726f6f66a868756d6964697479a7' +
  '70657263656e7493a4726f6f66ab74656d7065726174757265a763656c7369757393a663656c6c6172aa46c3bc6c6c737461' +
  '6e64a0ce00000005c600000005000102000292ce00000004c6000000040100000093cb43182890607907d0cbc072c0000000' +
  '0000c600000008000000004006200393c60000000828000000feffffffce00000001c60000000092c6000000050002020000' +
  'c600000000dd0000000192ce00000000c5000201ffc40400000000c6000000280000000000404840000000000000008059f3' +
  'f8c21f6ea50100000000002048400000000000000040'

function encode(rows: readonly SampleRow[], series = SERIES, maxBytes = 65_300, encoder = new BatchEncoder()) {
  return encoder.encode(HEADER, series, columnsOf(rows), allRows(rows.length), 0, rows.length, maxBytes)
}

/** Binaries as hex, deeply. */
function toHex(item: unknown): unknown {
  if (item instanceof Uint8Array) return Buffer.from(item).toString('hex')
  return Array.isArray(item) ? item.map(toHex) : item
}

test('every field comes out as it went in, in the order of arrival', () => {
  const { body, next, samples, firstTakenAtUs } = encode(ROWS)
  assert.deepEqual([next, samples, firstTakenAtUs], [5, 5, 1_700_000_000_000_200])
  assert.equal(body.byteLength, body.buffer.byteLength)
  const batch = new BatchDecoder().decode(body)
  assert.deepEqual({ producer: batch.producer, epoch: batch.epoch, seq: batch.seq }, HEADER)
  assert.deepEqual(rowsOf(batch), namedRows(ROWS, SERIES))
})

test('the bytes of version 1 do not change', () => {
  assert.equal(Buffer.from(encode(ROWS).body).toString('hex'), GOLDEN)
  const batch = new BatchDecoder().decode(new Uint8Array(Buffer.from(GOLDEN, 'hex')))
  assert.deepEqual(rowsOf(batch), namedRows(ROWS, SERIES))
})

test('any msgpack reader finds the columns', () => {
  const fields = unpack(encode(ROWS).body) as unknown[]
  assert.deepEqual(toHex(fields.slice(0, 13)), [
    1,
    'hub-1.r0',
    HEADER.epoch,
    7,
    [
      ['roof', 'humidity', 'percent'],
      ['roof', 'temperature', 'celsius'],
      ['cellar', 'Füllstand', ''],
    ],
    5,
    '0001020002', // places in the dictionary
    [4, '01000000'], // readings, and their samples less 1
    [ROWS[0].takenAtUs, -300, '0000000040062003'], // first, least step, what each step is beyond it
    ['28000000feffffff', 1, ''], // first of each device less the step, the step, nothing beyond it
    ['0002020000', ''],
    [[0, '01ff']],
    '00000000',
  ])
  const values = Buffer.from(fields[13] as Uint8Array)
  assert.deepEqual(
    ROWS.map((_, at) => values.readDoubleLE(8 * at)),
    ROWS.map((row) => row.value),
  )
})

test('a steady batch takes less than ten bytes a sample, readings of one channel less than eleven', () => {
  const eight = encode(steadyRows(88, 8), channelsOf('roof', 8))
  assert.ok(eight.body.length / eight.samples < 10, `${eight.body.length / eight.samples}`)
  const one = encode(steadyRows(704, 1), channelsOf('roof', 1))
  assert.ok(one.body.length / one.samples < 11, `${one.body.length / one.samples}`)
})

test('values are a view of a body that is aligned, and a copy of one that is not', () => {
  const { body } = encode(ROWS)
  const decoder = new BatchDecoder()
  assert.equal(decoder.decode(body).values.buffer, body.buffer)
  for (let shift = 1; shift < 8; shift++) {
    const packed = new Uint8Array(body.length + 8)
    packed.set(body, shift)
    const batch = decoder.decode(packed.subarray(shift, shift + body.length))
    assert.notEqual(batch.values.buffer, packed.buffer)
    assert.deepEqual(rowsOf(batch), namedRows(ROWS, SERIES))
  }
})

test('a body in shared memory is read like any other', () => {
  const { body } = encode(ROWS)
  const shared = new Uint8Array(new SharedArrayBuffer(body.length))
  shared.set(body)
  assert.deepEqual(rowsOf(new BatchDecoder().decode(shared)), namedRows(ROWS, SERIES))
})

test('only the named rows are encoded, in the order they are named', () => {
  const columns = columnsOf(ROWS)
  const rows = Uint32Array.of(9, 4, 2, 0, 9)
  const { body, next } = new BatchEncoder().encode(HEADER, SERIES, columns, rows, 1, 4, 65_300)
  assert.equal(next, 4)
  assert.deepEqual(rowsOf(new BatchDecoder().decode(body)), namedRows([ROWS[4], ROWS[2], ROWS[0]], SERIES))
})

test('one sample is encoded even when it is larger than the bound', () => {
  const { body, samples } = encode([{ ...ROWS[0], raw: new Uint8Array(4096) }, ROWS[1]], SERIES, 100)
  assert.equal(samples, 1)
  assert.equal(new BatchDecoder().decode(body).raw.get(0)?.length, 4096)
})

test('a bound of exactly the size is enough, one byte less is not', () => {
  const rows = steadyRows(30, 3)
  const whole = encode(rows)
  assert.equal(encode(rows, SERIES, whole.body.length).samples, 90)
  const { samples, body } = encode(rows, SERIES, whole.body.length - 1)
  assert.equal(samples, 89)
  assert.ok(body.length < whole.body.length)
})

test('a batch ends at 65 536 samples, and may have as many series', () => {
  const rows = Array.from({ length: MAX_BATCH_SAMPLES + 1 }, (_, at) => ({ ...ROWS[1], series: at }))
  const series = rows.map((_, at) => ({ device: `d${at % 1000}`, channel: `c${at}`, unit: '' }))
  const { body, samples } = encode(rows, series, Number.MAX_SAFE_INTEGER)
  assert.equal(samples, MAX_BATCH_SAMPLES)
  const batch = new BatchDecoder().decode(body)
  assert.equal(batch.seriesIndex[65_535], 65_535)
  assert.deepEqual(batch.series[65_535], series[65_535])
})

test('one reading may have 65 536 samples', () => {
  const rows = Array.from({ length: MAX_BATCH_SAMPLES }, () => ROWS[1])
  const { body, samples } = encode(rows, SERIES, Number.MAX_SAFE_INTEGER)
  assert.equal(samples, MAX_BATCH_SAMPLES)
  assert.equal(new BatchDecoder().decode(body).sequences[65_535], 41)
})

test('times that no step can express are kept whole', () => {
  const times = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, -5, Number.MAX_SAFE_INTEGER]
  for (const taken of [times, times.slice(0, 2), times.slice(0, 1)]) {
    const rows = taken.map((takenAtUs) => ({ ...ROWS[1], takenAtUs }))
    const { body, firstTakenAtUs } = encode(rows)
    assert.equal(firstTakenAtUs, Number.MIN_SAFE_INTEGER)
    assert.deepEqual([...new BatchDecoder().decode(body).takenAtUs], taken)
  }
})

test('equal dictionaries are decoded once: the series are the same object', () => {
  const decoder = new BatchDecoder()
  const first = decoder.decode(encode(ROWS).body).series
  assert.equal(decoder.decode(encode(ROWS).body).series, first)
  assert.notEqual(decoder.decode(encode(ROWS.slice(1)).body).series, first)
})

test('an encoder notices that a series id stands for another series now', () => {
  const encoder = new BatchEncoder()
  encode(ROWS, SERIES, 65_300, encoder)
  const renamed = SERIES.map((series) => ({ ...series, device: `${series.device}-2` }))
  const batch = new BatchDecoder().decode(encode(ROWS, renamed, 65_300, encoder).body)
  assert.deepEqual(rowsOf(batch), namedRows(ROWS, renamed))
})

test('half a surrogate pair in a name becomes the replacement character', () => {
  const { body } = encode([ROWS[1]], [{ device: 'a\ud800', channel: 'c', unit: '\udc00' }])
  assert.deepEqual(new BatchDecoder().decode(body).series, [{ device: 'a\ufffd', channel: 'c', unit: '\ufffd' }])
})

test('rows outside the model are refused by name and leave the encoder usable', () => {
  const encoder = new BatchEncoder()
  const refused: [Partial<SampleRow>, RegExp][] = [
    [{ value: Number.NaN }, /row 1 .* value NaN/],
    [{ value: Number.NEGATIVE_INFINITY }, /row 1 .* value -Infinity/],
    [{ takenAtUs: 1.5 }, /row 1 .* takenAtUs 1.5/],
    [{ takenAtUs: 2 ** 53 }, /row 1 .* takenAtUs 9007199254740992/],
    [{ takenAtUs: Number.NaN }, /row 1 .* takenAtUs NaN/],
    [{ quality: 8 }, /row 1 .* quality 8/],
    [{ series: 3 }, /series 3/],
    [{ raw: new Uint8Array(4097) }, /row 1 .* 4097 raw bytes/],
  ]
  for (const [change, message] of refused) {
    const rows = [ROWS[0], { ...ROWS[1], ...change }]
    assert.throws(() => encode(rows, SERIES, 65_300, encoder), { ...BROKEN, message })
  }
  assert.deepEqual(
    rowsOf(new BatchDecoder().decode(encode(ROWS, SERIES, 65_300, encoder).body)),
    namedRows(ROWS, SERIES),
  )
})

test('an encoder is not asked for nothing, nor for rows, names or numbers that do not exist', () => {
  const encoder = new BatchEncoder()
  const columns = columnsOf(ROWS)
  const rows = Uint32Array.of(0, 5)
  for (const [from, to] of [
    [0, 0],
    [2, 1],
    [-1, 1],
    [0, 3],
    [1, 2],
  ]) {
    assert.throws(() => encoder.encode(HEADER, SERIES, columns, rows, from, to, 65_300), BROKEN, `${from}..${to}`)
  }
  for (const header of [
    { ...HEADER, seq: 0.5 },
    { ...HEADER, epoch: -1 },
    { ...HEADER, producer: 'p'.repeat(129) },
  ]) {
    assert.throws(() => encoder.encode(header, SERIES, columns, rows, 0, 1, 65_300), BROKEN)
  }
  const long = [{ device: 'd'.repeat(129), channel: 'c', unit: '' }]
  assert.throws(() => encode([{ ...ROWS[0], series: 0 }], long), { ...BROKEN, message: /device of 129/ })
})
