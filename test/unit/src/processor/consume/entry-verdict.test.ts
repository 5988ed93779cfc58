import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { PortableError } from '#core/errors/telemetry-error'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { verdictOn } from '#src/processor/consume/entry-verdict'

const entry: LeasedEntry = {
  id: '1',
  priority: 1,
  deliveryCount: 1,
  attempts: 0,
  handler: '*',
  correlationId: 'hub.1.0.1',
  samples: 1,
  firstTakenAtUs: 1,
  body: new Uint8Array(0),
}

function failure(code: PortableError['code'], message = 'why'): PortableError {
  return { code, message, details: {} }
}

it('what can never be read is put aside at once', () => {
  for (const code of ['TLM_BATCH_UNREADABLE', 'TLM_TASK_INVALID'] as const) {
    assert.equal(verdictOn(entry, failure(code), 100, 0).kind, 'dead-letter')
  }
})

it('a failed handler is tried again maxRetries times, each time after a longer wait at most', () => {
  const waits = [0, 1, 2].map((attempts) => {
    const verdict = verdictOn({ ...entry, attempts }, failure('TLM_HANDLER_FAILED'), 3, 0.999)
    assert.ok(verdict.kind === 'retry')
    assert.equal(verdict.retry.attempts, attempts + 1)
    return verdict.retry.afterMs
  })
  assert.deepEqual(waits, [500, 999, 1998])
  assert.equal(verdictOn({ ...entry, attempts: 3 }, failure('TLM_HANDLER_FAILED'), 3, 0).kind, 'dead-letter')
  assert.equal(verdictOn(entry, failure('TLM_HANDLER_FAILED'), 0, 0).kind, 'dead-letter')
})

it('the reason kept with a dead letter is bounded', () => {
  const verdict = verdictOn(entry, failure('TLM_BATCH_UNREADABLE', 'x'.repeat(1e6)), 3, 0)
  assert.ok(verdict.kind === 'dead-letter' && verdict.deadLetter.message.length === 2000)
})
