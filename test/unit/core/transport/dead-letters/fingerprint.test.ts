import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fingerprintOf, maskMessage } from '#core/transport/dead-letters/fingerprint'

test('numbers, times and ids are masked, words are not', () => {
  const masked: [string, string][] = [
    ['column values ends at byte 17 of -12.5e3', 'column values ends at byte # of #'],
    ['batch hub-1.r0.1700000000000000.3.42 came late', 'batch hub-#.r# came late'],
    ['id 9f86d081-884c-4d65-a2fe-aa0c55ad015a at 2026-01-31T12:00:00.123Z', 'id <id> at <time>'],
    ['object 0xdeadbeef01 and deadbeef and 4f3a91bc', 'object <id> and deadbeef and <id>'],
    ['No handler of type acme.count is configured.', 'No handler of type acme.count is configured.'],
  ]
  for (const [message, expected] of masked) assert.equal(maskMessage(message), expected)
})

test('the same cause has the same fingerprint, another class or text another one', () => {
  const one = fingerprintOf('TLM_HANDLER_FAILED', 'division by 0 in row 12')
  assert.equal(one, fingerprintOf('TLM_HANDLER_FAILED', 'division by 0 in row 999'))
  assert.notEqual(one, fingerprintOf('crash-loop', 'division by 0 in row 12'))
  assert.notEqual(one, fingerprintOf('TLM_HANDLER_FAILED', 'division by zero in row 12'))
})

test('fingerprints are the same in every version: letters of different ages meet in one group', () => {
  assert.equal(fingerprintOf('crash-loop', 'its processor ended each time'), 'd8259af40a31a1f5')
})

test('a message as long as one may be is masked in no time', () => {
  for (const text of ['a'.repeat(100_000), '1'.repeat(100_000), 'a1'.repeat(50_000), '-'.repeat(100_000)]) {
    const startMs = performance.now()
    fingerprintOf('class', text)
    assert.ok(performance.now() - startMs < 100)
  }
})
