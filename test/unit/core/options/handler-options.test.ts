import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HANDLER_TYPES } from '#core/model/finding'
import { formatProblem } from '#core/options/config-source'
import { readHandlerOptions } from '#core/options/handlers/read-handler-options'

function problemsOf(type: string, raw: Record<string, unknown>, moduleUrl?: string): string {
  const { problems } = readHandlerOptions(type, raw, moduleUrl)
  assert.ok(problems, 'the options should have been refused')
  return problems.map(formatProblem).join('\n')
}

test('every built-in handler needs no options', () => {
  for (const type of HANDLER_TYPES) assert.ok(readHandlerOptions(type, {}).options, type)
})

test('files write snake_case and durations with units, handlers get camelCase and milliseconds', () => {
  assert.deepEqual(
    readHandlerOptions('telemetry.aggregate', { sizes_ms: '10s, 1m', out_of_orderness_ms: '2s' }).options,
    {
      sizesMs: [10_000, 60_000],
      outOfOrdernessMs: 2000,
      allowedLatenessMs: 10_000,
    },
  )
  const rule = { name: 'hot', channel: 'temperature', above: '80', reset: 70, for_ms: '2m', severity: 'critical' }
  assert.deepEqual(readHandlerOptions('telemetry.alert', { rules: [rule] }).options, {
    rules: [
      {
        name: 'hot',
        channel: 'temperature',
        above: 80,
        reset: 70,
        forMs: 120_000,
        keepFiringMs: 0,
        severity: 'critical',
      },
    ],
  })
})

test('no rules are no alerts, which is not the same as the default rules', () => {
  assert.deepEqual(readHandlerOptions('telemetry.alert', { rules: [] }).options, { rules: [] })
  const defaults = readHandlerOptions('telemetry.alert', {}).options as { rules: { name: string }[] }
  assert.equal(defaults.rules.length, 5)
})

test('an unknown key names the handler and what was meant', () => {
  assert.match(
    problemsOf('telemetry.anomaly_detect', { treshold: 5 }),
    /handler telemetry\.anomaly_detect treshold.*did you mean threshold/,
  )
  assert.match(problemsOf('telemetry.store', { path: 'x' }), /handler telemetry\.store path: unknown key/)
})

test('values out of range are refused with what is accepted', () => {
  assert.match(problemsOf('telemetry.anomaly_detect', { warm_up_samples: 99 }), /warm_up_samples.*from 100 to/)
  assert.match(problemsOf('telemetry.analyze', { max_summaries_per_run: -1 }), /max_summaries_per_run.*from 0/)
  assert.match(problemsOf('telemetry.aggregate', { sizes_ms: [] }), /sizes_ms.*1 to 8/)
  assert.match(problemsOf('telemetry.aggregate', { sizes_ms: ['1s', '1s'] }), /each window size once/)
  assert.match(problemsOf('telemetry.aggregate', { sizes_ms: [1.5] }), /whole milliseconds/)
  assert.match(
    problemsOf('telemetry.aggregate', { sizes_ms: ['1ms'], allowed_lateness_ms: '1s' }),
    /together at most 62 ms/,
  )
})

test('a rule has exactly one threshold, a reset on its own side, and a name of its own', () => {
  const rule = { name: 'r', channel: 'c' }
  const rules = (...list: object[]) => problemsOf('telemetry.alert', { rules: list })
  assert.match(rules(rule), /rules\.0.*exactly one of above and below/)
  assert.match(rules({ ...rule, above: 1, below: 2 }), /exactly one/)
  assert.match(rules({ ...rule, above: 1, reset: 2 }), /at or below the threshold/)
  assert.match(rules({ ...rule, below: 1, reset: 0 }), /at or above the threshold/)
  assert.match(rules({ ...rule, above: 1 }, { ...rule, above: 2 }), /each rule name once, "r"/)
  assert.match(rules({ name: 'r', above: 1 }), /rules\.0\.channel: missing/)
  const many = Array.from({ length: 65 }, (_, i) => ({ ...rule, name: `r${i}`, above: 1 }))
  assert.match(rules(...many), /at most 64 rules/)
})

test('a type nobody knows needs a module, and a module needs a type of its own', () => {
  assert.match(problemsOf('telemetry.analyse', {}), /did you mean telemetry\.analyze/)
  assert.match(problemsOf('my.type', {}), /name its file with module/)
  assert.match(problemsOf('telemetry.store', {}, 'file:///x.mjs'), /cannot be replaced/)
  assert.deepEqual(readHandlerOptions('my.type', { any_thing: 1 }, 'file:///x.mjs').options, { any_thing: 1 })
})
