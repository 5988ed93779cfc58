import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pack } from 'msgpackr'
import { findStructureProblem } from '#core/codec/msgpack-structure'

const LIMITS = { maxDepth: 4, maxItems: 100 }

function problemOf(hex: string): string | undefined {
  const found = findStructureProblem(Buffer.from(hex.replaceAll(' ', ''), 'hex'), LIMITS)
  return found === undefined ? undefined : `${found.problem} @${found.offset}`
}

test('one item of every msgpack type passes', () => {
  const items = [
    '00',
    '7f',
    'e0',
    'ff',
    'c0',
    'c2',
    'c3',
    'cc 01',
    'cd 0102',
    'ce 01020304',
    'cf 0102030405060708',
    'd0 01',
    'd1 0102',
    'd2 01020304',
    'd3 0102030405060708',
    'ca 01020304',
    'cb 0102030405060708',
    'a0',
    'a1 61',
    'd9 01 61',
    'da 0001 61',
    'db 00000001 61',
    'c4 01 00',
    'c5 0001 00',
    'c6 00000001 00',
    '90',
    '91 00',
    'dc 0001 00',
    'dd 00000001 00',
    '80',
    '81 00 00',
    'de 0001 00 00',
    'df 00000001 00 00',
    'd6 ff 01020304',
    'd7 ff 0102030405060708',
    'c7 0c ff 000000000000000000000000',
  ]
  for (const item of items) {
    assert.equal(problemOf(item), undefined, item)
    assert.equal(problemOf(`92 ${item} ${item}`), undefined, `two of ${item}`)
    const bytes = item.replaceAll(' ', '')
    for (let cut = 0; cut < bytes.length; cut += 2)
      assert.notEqual(problemOf(bytes.slice(0, cut)), undefined, `${item} cut`)
  }
  const value = { a: [1, -1, 1.5, 'x'.repeat(300), null, true, new Date(0)], b: { c: Buffer.alloc(70_000) } }
  assert.equal(findStructureProblem(pack(value), LIMITS), undefined)
})

test('what is not one sound item is refused with the reason and its place', () => {
  const wrong: [string, string][] = [
    ['', 'the input ends inside an item @0'],
    ['00 00', 'more bytes follow the end @1'],
    ['92 00', '2 items announced, 1 bytes are left @0'],
    ['92 91 00', 'the input ends inside an item @3'],
    ['91 da 00', 'the input ends inside an item @1'],
    ['91 a2 61', '2 bytes announced, 1 are left @1'],
    ['c6 ffffffff', '4294967295 bytes announced, 0 are left @0'],
    ['cb 00', '8 bytes announced, 1 are left @0'],
    ['dd ffffffff', '4294967295 items announced, 0 bytes are left @0'],
    ['df ffffffff', '8589934590 items announced, 0 bytes are left @0'],
    ['91 91 91 91 91 00', 'nested deeper than 4 @4'],
    ['81 00 81 00 81 00 81 00 81 00 00', 'nested deeper than 4 @8'],
    ['91 c1', 'type 0xc1 is not accepted @1'],
    ['91 d4 72 40', 'type 0xd4 is not accepted @1'],
    ['c7 01 01 00', 'type 0xc7 is not accepted @0'],
  ]
  for (const [hex, problem] of wrong) assert.equal(problemOf(hex), problem, hex)
  assert.equal(problemOf('91 91 91 91 00'), undefined)
})

test('items are counted, also where they are empty', () => {
  assert.equal(problemOf(`dc 0063 ${'90'.repeat(99)}`), undefined)
  assert.equal(problemOf(`dc 0064 ${'90'.repeat(100)}`), 'more than 100 items @102')
})
