import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PRIORITY, parsePriority } from '#core/model/priority'

test('MEDIUM is another spelling of NORMAL, and the original numbers are understood', () => {
  assert.equal(parsePriority('MEDIUM'), PRIORITY.normal)
  assert.equal(parsePriority('high'), PRIORITY.high)
  assert.equal(parsePriority(2), PRIORITY.low)
})

test('an unknown priority is undefined, never a default', () => {
  assert.equal(parsePriority('urgent'), undefined)
  assert.equal(parsePriority(3), undefined)
  assert.equal(parsePriority(null), undefined)
})
