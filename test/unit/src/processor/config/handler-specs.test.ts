import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { readHandlerSpecs } from '#src/processor/config/handler-specs'
import type { HandlerConfig } from '#src/processor/config/processor-options'

function config(
  type: string,
  priority: HandlerConfig['priority'],
  options: HandlerConfig['options'] = {},
): HandlerConfig {
  return { type, priority, options }
}

describe('the configured handlers', () => {
  it('see a batch by priority, equal ones as they are written', () => {
    const specs = readHandlerSpecs([
      config('telemetry.store', 'low'),
      config('telemetry.analyze', 'normal'),
      config('telemetry.aggregate', 'medium'),
      config('telemetry.alert', 'high'),
    ])
    assert.deepEqual(
      specs.map(({ type }) => type),
      ['telemetry.alert', 'telemetry.analyze', 'telemetry.aggregate', 'telemetry.store'],
    )
  })

  it('are refused with all problems at once', () => {
    const handlers = [
      config('telemetry.analize', 'normal'),
      config('telemetry.aggregate', 'normal', { size_ms: 5 }),
      config('telemetry.store', 'normal'),
      config('telemetry.store', 'high'),
    ]
    assert.throws(
      () => readHandlerSpecs(handlers),
      (error: Error & { code: string }) => {
        assert.equal(error.code, 'TLM_OPTIONS_INVALID')
        for (const part of [/did you mean telemetry\.analyze/, /size_ms/, /telemetry\.store is there twice/]) {
          assert.match(error.message, part)
        }
        return true
      },
    )
  })
})
