import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUALITY } from '#core/model/quality'
import type { ReadingOptions } from '#src/hub/drivers/text/reading-options'
import { MAX_DISCOVERED_CHANNELS, ReadingParser } from '#src/hub/drivers/text/reading-parser'
import { RecordingSink } from '#test/support/recording-sink'

function parse(options: ReadingOptions, ...lines: string[]) {
  const sink = new RecordingSink()
  const parser = new ReadingParser(options, sink)
  for (const line of lines) {
    if (!parser.parse(line, 'line')) continue
    for (const { series, values, quality } of parser.groups) {
      if (series.length > 0) sink.reading(parser.takenAtUs ?? 0, series, values, quality)
    }
  }
  return { sink, values: sink.readings.map((reading) => reading.values), rejects: Object.fromEntries(sink.rejects) }
}

test('csv takes its columns by name, with unit, channel and quality of each', () => {
  const { sink } = parse(
    {
      format: 'csv',
      fields: ['t', 'h', 'state'],
      columns: [
        { field: 't', channel: 'temperature', unit: 'celsius' },
        { field: 'h', quality: 'uncalibrated' },
      ],
    },
    '20.5, 50 ,ok',
  )
  assert.deepEqual(
    sink.readings.map(({ values, quality }) => [values, quality]),
    [
      [{ temperature: 20.5 }, QUALITY.good],
      [{ h: 50 }, QUALITY.uncalibrated],
    ],
  )
  assert.deepEqual(sink.channels[0], { channel: 'temperature', unit: 'celsius' })
})

test('a line with a lost or an extra field is refused whole: its values could be anyone’s', () => {
  const { values, rejects } = parse({ format: 'csv', fields: ['t', 'h'] }, '20.5', '1,2,3', '', '  ', '1,2')
  assert.deepEqual(values, [{ t: 1, h: 2 }])
  assert.deepEqual(rejects, { field_count_wrong: 2 })
})

test('a value that is no decimal number is counted and the others are taken', () => {
  const { values, rejects } = parse({ format: 'csv', fields: ['a', 'b'] }, 'nan,1', '0x10,2', '1e400,3', ',4', '5V,5')
  assert.deepEqual(values, [{ b: 1 }, { b: 2 }, { b: 3 }, { b: 4 }, { b: 5 }])
  assert.deepEqual(rejects, { value_not_a_number: 4, value_missing: 1 })
})

test('csv understands quoted fields', () => {
  const { values } = parse({ format: 'csv', fields: ['name', 'v'], columns: [{ field: 'v' }] }, '"a, ""b""",7', 'x,"8"')
  assert.deepEqual(values, [{ v: 7 }, { v: 8 }])
})

test('key-value reads pairs in either spelling and discovers their channels', () => {
  const { values, rejects } = parse({ format: 'key-value' }, 't=20.1 h=50', 't:20.2,h:51', 'OK: Calibrated', '%&/()')
  assert.deepEqual(values, [
    { t: 20.1, h: 50 },
    { t: 20.2, h: 51 },
  ])
  assert.deepEqual(rejects, { line_unparsable: 1 })
})

test('json reads nested numbers by path and refuses what is no object', () => {
  const { values, rejects } = parse(
    { format: 'json', columns: [{ field: 'bme.t', channel: 'temperature' }] },
    '{"bme":{"t":20.5},"on":true}',
    '{"bme":{}}',
    '[1]',
    '{"bme":',
    'null',
  )
  assert.deepEqual(values, [{ temperature: 20.5 }])
  assert.deepEqual(rejects, { value_missing: 1, line_unparsable: 3 })
})

test('time fields are joined and read; a line whose time is unreadable is refused', () => {
  const time = { fields: ['date', 'time'], format: 'iso' as const }
  const { sink, rejects } = parse(
    { format: 'whitespace', fields: ['date', 'time', 't'], time },
    '2015-01-09 07:30:07 20.93',
    '2015-02-30 07:30:07 20.93',
  )
  assert.deepEqual(sink.readings, [
    { takenAtUs: Date.UTC(2015, 0, 9, 7, 30, 7) * 1000, values: { t: 20.93 }, quality: 0, raw: undefined },
  ])
  assert.deepEqual(rejects, { time_unreadable: 1 })
})

test('noise cannot name channels without bound', () => {
  const lines = Array.from({ length: 100 }, (_, i) => `k${i}=1`)
  const { sink, rejects } = parse({ format: 'key-value' }, ...lines)
  assert.equal(sink.channels.length, MAX_DISCOVERED_CHANNELS)
  assert.deepEqual(rejects, { channel_limit: 100 - MAX_DISCOVERED_CHANNELS })
})
