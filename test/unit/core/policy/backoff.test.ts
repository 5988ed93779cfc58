import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backoffWaitMs } from '#core/policy/backoff'

test('waits double up to their bound, and jitter spans them from 1 ms', () => {
  const backoff = { baseMs: 250, maxMs: 30_000 }
  assert.deepEqual(
    [1, 2, 8, 100].map((failures) => backoffWaitMs(backoff, failures, 0.999_999)),
    [250, 500, 30_000, 30_000],
  )
  assert.equal(backoffWaitMs(backoff, 5, 0), 1)
})
