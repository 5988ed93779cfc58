import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LineSplitter } from '#src/hub/drivers/text/line-splitter'

function split(chunks: (string | Uint8Array)[], maxLineBytes = 16, delimiter = '\n') {
  let tooLong = 0
  const splitter = new LineSplitter({
    delimiter: Buffer.from(delimiter),
    maxLineBytes,
    onLineTooLong: () => tooLong++,
  })
  const lines: string[] = []
  for (const chunk of chunks) {
    splitter.push(Buffer.from(chunk))
    for (let line = splitter.next(); line !== undefined; line = splitter.next()) lines.push(line.toString('latin1'))
  }
  return { lines, tooLong, rest: splitter.finish()?.toString('latin1'), tooLongAtEnd: () => tooLong }
}

test('lines come whole out of any chunks', () => {
  const { lines, rest } = split(['a', 'b\nc', '\n\nd\ne', 'f'])
  assert.deepEqual(lines, ['ab', 'c', '', 'd'])
  assert.equal(rest, 'ef')
})

test('a delimiter of several bytes may be cut anywhere, and half of it is part of a line', () => {
  const { lines } = split(['a\r', '\nb\rc\r\n', 'd\n\r', '\n'], 16, '\r\n')
  assert.deepEqual(lines, ['a', 'b\rc', 'd\n'])
})

test('a line of exactly the limit passes, one byte more does not', () => {
  assert.deepEqual(split(['1234\n12345\n1\n'], 4).lines, ['1234', '1'])
  assert.equal(split(['1234\n12345\n1\n'], 4).tooLong, 1)
})

test('a line too long is counted once, and the line after it is good', () => {
  const { lines, tooLong } = split(['x'.repeat(1000), 'y'.repeat(1000), 'z\n', 'good\n'])
  assert.deepEqual(lines, ['good'])
  assert.equal(tooLong, 1)
})

test('what is left at the end is counted when it is too long', () => {
  const { rest, tooLongAtEnd } = split(['12345\r'], 4, '\r\n')
  assert.equal(rest, undefined)
  assert.equal(tooLongAtEnd(), 1)
})

test('a megabyte without delimiter leaves no more than one line in memory', () => {
  const { lines, tooLong } = split([new Uint8Array(1_000_000), '\nok\n'], 4096)
  assert.deepEqual(lines, ['ok'])
  assert.equal(tooLong, 1)
})
