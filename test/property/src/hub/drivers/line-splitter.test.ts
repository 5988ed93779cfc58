import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LineSplitter } from '#src/hub/drivers/text/line-splitter'

const MAX_LINE_BYTES = 6
/** Few different bytes, so that delimiters, halves of them and long lines are all frequent. */
const bytes = fc.array(fc.constantFrom(13, 10, 97, 0, 255), { maxLength: 200 }).map((list) => Uint8Array.from(list))
const delimiters = fc.constantFrom('\n', '\r\n', '\n\n', 'aa', '\r\n\r')

interface Outcome {
  lines: string[]
  tooLong: number
  rest: string | undefined
}

function split(chunks: Uint8Array[], delimiter: string): Outcome {
  const outcome: Outcome = { lines: [], tooLong: 0, rest: undefined }
  const onLineTooLong = () => outcome.tooLong++
  const splitter = new LineSplitter({ delimiter: Buffer.from(delimiter), maxLineBytes: MAX_LINE_BYTES, onLineTooLong })
  for (const chunk of chunks) {
    splitter.push(chunk)
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) {
      outcome.lines.push(line.toString('latin1'))
    }
  }
  outcome.rest = splitter.finish()?.toString('latin1')
  return outcome
}

/** The same by the definition: split at every delimiter from the left. */
function expected(stream: Uint8Array, delimiter: string): Outcome {
  const pieces = Buffer.from(stream).toString('latin1').split(delimiter)
  const rest = pieces.pop()!
  const isShort = (piece: string) => piece.length <= MAX_LINE_BYTES
  return {
    lines: pieces.filter(isShort),
    tooLong: [...pieces, rest].filter((piece) => !isShort(piece)).length,
    rest: rest !== '' && isShort(rest) ? rest : undefined,
  }
}

test('any chunking of any bytes gives the lines that the definition gives', () => {
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(200), { maxLength: 12 }), delimiters, (stream, cuts, delimiter) => {
      const at = [0, ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b), stream.length]
      const chunks = at.slice(1).map((end, i) => stream.subarray(at[i], end))
      assert.deepEqual(split(chunks, delimiter), expected(stream, delimiter))
    }),
    { numRuns: 2000 },
  )
})

test('after any garbage and one delimiter the next good line is read', () => {
  fc.assert(
    fc.property(
      bytes,
      delimiters.filter((one) => one !== '\n\n'),
      (garbage, delimiter) => {
        const { lines } = split([garbage, Buffer.from(`${delimiter}t=1${delimiter}`)], delimiter)
        assert.ok(lines.at(-1)?.endsWith('t=1'))
      },
    ),
    { numRuns: 1000 },
  )
})
