import assert from 'node:assert/strict'
import { test } from 'node:test'
import { filterSchema, letterIds, listSchema, parseFields } from '#src/processor/dead-letters/letter-filter'

test('a filter takes times as microseconds, as ISO 8601, and as how long ago', () => {
  const fromOf = (from: string | number) => parseFields(filterSchema, { from }, 'filter').fromMs
  assert.equal(fromOf('1700000000000000'), 1_700_000_000_000)
  assert.equal(fromOf(1_700_000_000_000_000), 1_700_000_000_000)
  assert.equal(fromOf('2026-01-31T12:00:00Z'), Date.UTC(2026, 0, 31, 12))
  assert.ok(Math.abs(fromOf('2h')! - (Date.now() - 7_200_000)) < 5000)
})

test('a filter takes the name of a device', () => {
  assert.equal(parseFields(filterSchema, { device: 'pump-1' }, 'filter').device, 'pump-1')
  assert.throws(() => parseFields(filterSchema, { device: 'x'.repeat(129) }, 'filter'), { message: /device: / })
})

test('every problem of a query is named with its field', () => {
  const query = { shard: '64', from: 'yesterday', limit: '1001', order: 'up', clas: 'x' }
  assert.throws(() => parseFields(listSchema, query, 'query'), {
    code: 'TLM_OPTIONS_INVALID',
    message: /(?=.*shard: expected a whole number from 0 to 63)(?=.*from: expected)(?=.*limit:)(?=.*order:)(?=.*clas)/,
  })
})

test('ids must look like ids of letters, and are a thousand at most', () => {
  assert.deepEqual(parseFields(letterIds, ['3-1700000000000-0'], 'ids'), ['3-1700000000000-0'])
  for (const wrong of [[], ['3-1700000000000'], ['*'], Array(1001).fill('1-1-1'), 'x']) {
    assert.throws(() => parseFields(letterIds, wrong, 'ids'), { code: 'TLM_OPTIONS_INVALID' })
  }
})
