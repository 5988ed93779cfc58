import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc16Modbus } from '#src/hub/drivers/checksum/checksums'
import { checkLineOptions } from '#src/hub/drivers/line/line-checks'
import { LINE_DEFAULTS, type LineOptions } from '#src/hub/drivers/line/line-options'
import { LineReader } from '#src/hub/drivers/line/line-reader'
import { RecordingSink } from '#test/support/recording-sink'

function read(given: Partial<LineOptions>, ...chunks: (string | Uint8Array)[]) {
  const sink = new RecordingSink()
  const options = { ...LINE_DEFAULTS, path: '/dev/null', skipFirstLine: false, ...given }
  checkLineOptions(options)
  const reader = new LineReader(options, sink)
  reader.restart()
  const raw: string[] = []
  for (const chunk of chunks) {
    reader.push(Buffer.from(chunk as string))
    while (reader.next()) {
      raw.push(Buffer.from(reader.raw).toString('hex'))
      for (const { series, values, quality } of reader.parser.groups) {
        if (series.length > 0) sink.reading(reader.parser.takenAtUs ?? 0, series, values, quality)
      }
    }
  }
  reader.finish()
  return { raw, values: sink.readings.map(({ values }) => values), rejects: Object.fromEntries(sink.rejects), sink }
}

test('a pattern takes its groups, and lines that do not match are counted', () => {
  const pattern = '^T=(?<temp>[-\\d.]+)(?: H=(?<hum>[\\d.]+))?$'
  const { values, rejects } = read({ format: 'regex', pattern }, 'T=20.5 H=50\nhello\nT=-1\nT=1.2.3\n')
  assert.deepEqual(values, [{ temp: 20.5, hum: 50 }, { temp: -1 }])
  assert.deepEqual(rejects, { line_unparsable: 1, value_not_a_number: 1 })
})

test('a line that a pattern takes too long for is counted, and the next one is read', () => {
  const pattern = '^(?<a>(1+)+)$'
  const { values, rejects } = read({ format: 'regex', pattern }, `${'1'.repeat(60)}x\n111\n`)
  assert.deepEqual(values, [{ a: 111 }])
  assert.deepEqual(rejects, { pattern_too_slow: 1 })
})

test('lines for the Arduino plotter are read with names and without', () => {
  const { values, rejects } = read({ format: 'plotter' }, 'a:1,b:-2.5\nTemp out:20\tHum: 50\nx:1 y:2\n3,4\nbooting\n')
  assert.deepEqual(values, [
    { a: 1, b: -2.5 },
    { 'Temp out': 20, Hum: 50 },
    { x: 1, y: 2 },
    { value_1: 3, value_2: 4 },
  ])
  assert.deepEqual(rejects, { line_unparsable: 1 })
})

test('lines with a checksum are taken only when it fits', () => {
  const { values, rejects } = read({ checksum: { kind: 'xor8', skip: 1 } }, '$t=1*78\r\n$t=2*78\n$t=3\n\n')
  assert.deepEqual(values, [{ t: 1 }])
  assert.deepEqual(rejects, { checksum_wrong: 1, checksum_missing: 1 })
})

test('binary frames are found by their first bytes, and what is between them is counted', () => {
  const struct = { layout: '<hHf', start: 'aa55' }
  const frame = Buffer.from('aa55feffffff00002041', 'hex')
  const named = read({ format: 'struct', struct, fields: ['a', 'b', 'c'] }, Buffer.from('00aa', 'hex'), frame, frame)
  assert.deepEqual(named.values, [
    { a: -2, b: 65535, c: 10 },
    { a: -2, b: 65535, c: 10 },
  ])
  assert.deepEqual(named.sink.details, new Array(2).fill('bytes_skipped: 1 bytes that begin no frame'))
  assert.equal(named.raw[0], frame.toString('hex'))
  assert.deepEqual(read({ format: 'struct', struct }, frame).values, [{ value_1: -2, value_2: 65535, value_3: 10 }])
})

test('a damaged frame is counted and the one after it is read', () => {
  const body = Buffer.from('aa0100', 'hex')
  const crc = crc16Modbus(body)
  const good = Buffer.concat([body, Buffer.of(crc & 0xff, crc >> 8)])
  const bad = Buffer.from(good)
  bad[1] ^= 4
  const options = {
    format: 'struct',
    struct: { layout: '<H', start: 'AA' },
    checksum: { kind: 'crc16-modbus' },
  } as const
  const { values, rejects } = read(options, Buffer.concat([bad, good]))
  assert.deepEqual(values, [{ value_1: 1 }])
  assert.deepEqual(rejects, { checksum_wrong: 1, bytes_skipped: 1 })
})

test('unreadable bytes are named as a wrong baud rate, with the rate that was tried', () => {
  const garbage = Buffer.from(Array.from({ length: 256 }, (_, at) => (at * 89) & 0xff))
  const { rejects, sink } = read({ baudRate: 9600 }, garbage, garbage, '\nt=1\n')
  assert.equal(rejects.wrong_baud_rate, 1)
  assert.match(sink.details.find((detail) => detail.startsWith('wrong_baud'))!, /looks like a wrong baud rate.*9600/)
  assert.equal(sink.readings.length, 1)
})

test('options that do not fit together are refused', () => {
  const refused = (given: Partial<LineOptions>, text: RegExp) => assert.throws(() => read(given), text)
  refused({ format: 'regex' }, /go together/)
  refused({ pattern: '(?<a>.)' }, /go together/)
  refused({ format: 'struct' }, /go together/)
  refused({ format: 'struct', struct: { layout: '<h', start: 'a' } }, /hexadecimal/)
  refused({ format: 'struct', struct: { layout: '<hh', start: 'aa' }, fields: ['a'] }, /has 2 values/)
})
