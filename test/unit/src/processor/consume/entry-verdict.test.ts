import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { PortableError } from '#core/errors/telemetry-error'
import type { LeasedEntry } from '#core/transport/batch-stream'
import { type VerdictContext, verdictOn } from '#src/processor/consume/entry-verdict'

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

function context(fields: Partial<VerdictContext> = {}): VerdictContext {
  return {
    maxRetries: 3,
    random: () => 0.5,
    pauseMs: () => undefined,
    retryAfterMs: (_, attempts) => attempts * 100,
    ...fields,
  }
}

it('what can never be read is put aside at once, with the class that says why', () => {
  const classes = { TLM_BATCH_UNREADABLE: 'unreadable', TLM_TASK_INVALID: 'invalid' } as const
  for (const code of ['TLM_BATCH_UNREADABLE', 'TLM_TASK_INVALID'] as const) {
    const verdict = verdictOn(entry, failure(code), context({ maxRetries: 100 }))
    assert.ok(verdict.kind === 'dead-letter')
    assert.equal(verdict.deadLetter.class, classes[code])
  }
})

it('what a newer program wrote is put back as it was, what no program ever wrote is not', () => {
  const unknown = (version: number) => ({
    ...failure('TLM_BATCH_UNREADABLE'),
    details: { class: 'unknown-version', version },
  })
  const verdict = verdictOn({ ...entry, attempts: 3 }, unknown(2), context({ maxRetries: 0 }))
  assert.deepEqual(verdict, {
    kind: 'hold',
    reason: 'newer_version',
    retry: { id: '1', priority: 1, attempts: 3, afterMs: 45_000, isUntouched: true },
  })
  assert.equal(verdictOn(entry, unknown(0), context()).kind, 'dead-letter')
})

it('a failed handler is tried again maxRetries times, each time when the watch over it says', () => {
  const error = { ...failure('TLM_HANDLER_FAILED'), details: { handler: 'mine' } }
  const asked: unknown[] = []
  const waits = [0, 1, 2].map((attempts) => {
    const retryAfterMs = (handler: string | undefined, attempts: number) => {
      asked.push(handler)
      return attempts * 100
    }
    const verdict = verdictOn({ ...entry, attempts }, error, context({ retryAfterMs }))
    assert.ok(verdict.kind === 'retry')
    assert.equal(verdict.retry.attempts, attempts + 1)
    return verdict.retry.afterMs
  })
  assert.deepEqual(waits, [100, 200, 300])
  assert.deepEqual(asked, ['mine', 'mine', 'mine'])
  assert.equal(verdictOn({ ...entry, attempts: 3 }, error, context()).kind, 'dead-letter')
  assert.equal(verdictOn(entry, error, context({ maxRetries: 0 })).kind, 'dead-letter')
})

it('what fails while its handler is paused uses no attempt', () => {
  const error = { ...failure('TLM_HANDLER_FAILED'), details: { handler: 'mine' } }
  const pauseMs = (handler: string | undefined) => (handler === 'mine' ? 700 : undefined)
  const verdict = verdictOn({ ...entry, attempts: 3 }, error, context({ pauseMs }))
  assert.ok(verdict.kind === 'hold')
  assert.deepEqual([verdict.reason, verdict.retry.attempts, verdict.retry.afterMs], ['handler_paused', 3, 700])
})

it('the reason kept with a dead letter is bounded', () => {
  const verdict = verdictOn(entry, failure('TLM_BATCH_UNREADABLE', 'x'.repeat(1e6)), context())
  assert.ok(verdict.kind === 'dead-letter' && verdict.deadLetter.message.length === 2000)
})
