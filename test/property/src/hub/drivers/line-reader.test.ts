import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LINE_DEFAULTS, type LineOptions } from '#src/hub/drivers/line/line-options'
import { LineReader } from '#src/hub/drivers/line/line-reader'
import { LinePattern } from '#src/hub/drivers/text/line-pattern'
import { cutAt, cuts } from '#test/support/frames'
import { RecordingSink } from '#test/support/recording-sink'

const FORMATS: Partial<LineOptions>[] = [
  { format: 'plotter' },
  { format: 'regex', pattern: '(?<a>\\d+)[,:](?<b>-?\\d+)' },
  { format: 'key-value', checksum: { kind: 'xor8' } },
  { format: 'struct', struct: { layout: '<bH', start: 'aa' }, checksum: { kind: 'sum8' } },
]

function read(given: Partial<LineOptions>, chunks: readonly Uint8Array[]) {
  const sink = new RecordingSink()
  const reader = new LineReader(
    { ...LINE_DEFAULTS, path: '/dev/null', skipFirstLine: false, maxLineBytes: 64, ...given },
    sink,
  )
  reader.restart()
  for (const chunk of chunks) {
    reader.push(chunk)
    while (reader.next()) {
      for (const { series, values } of reader.parser.groups) if (series.length > 0) sink.reading(0, series, values)
    }
  }
  reader.finish()
  const rejects = Object.fromEntries([...sink.rejects].filter(([reason]) => reason !== 'bytes_skipped'))
  return { values: sink.readings.map(({ values }) => values), rejects }
}

const stream = fc
  .array(
    fc.oneof(
      fc
        .constantFrom('a:1,b:2\n', '3:4\n', 't=1*78\n', 't=1*48\n', '\xaa\x01\x02\x03\xb0', '\n')
        .map((text) => Buffer.from(text, 'latin1')),
      fc.uint8Array({ maxLength: 30 }),
    ),
    { maxLength: 10 },
  )
  .map((parts) => Buffer.concat(parts))

test('whatever the chunks, the same bytes give the same readings and rejects, and none throws', () => {
  fc.assert(
    fc.property(fc.constantFrom(...FORMATS), stream, cuts, (format, bytes, at) => {
      assert.deepEqual(read(format, cutAt(bytes, at)), read(format, [bytes]))
    }),
  )
})

test('a guarded pattern matches what the plain regular expression matches', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '(?:ab)', '(a|b)', 'a+', 'b*', 'a?', '(?:a+b)*')
  fc.assert(
    fc.property(fc.array(atom, { minLength: 1, maxLength: 5 }), fc.stringMatching(/^[ab]{0,12}$/), (atoms, line) => {
      const source = `(?<g>${atoms.join('')})`
      assert.deepEqual(new LinePattern(source).match(line), new RegExp(source).exec(line)?.groups)
    }),
  )
})
