import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge } from '#test/chaos/oracle/checker'
import { toMarkdown } from '#test/chaos/report/markdown'
import { percentilesOf } from '#test/chaos/report/percentiles'
import { type ChaosReport, problemsOfReport } from '#test/chaos/report/report'

const verdict = judge({
  offers: new Map(),
  hubs: [],
  atRisk: new Set(),
  stored: new Map(),
  deadLetters: [],
  aliens: [],
  summaries: undefined,
  runs: [],
  processorImbalances: [],
  leftovers: new Map(),
})
const point = { name: 'own:before', summary: 'killed', scenarios: [3], tookMs: 1500, verdict }

function report(fields: Partial<ChaosReport>): ChaosReport {
  return { seed: 3, command: 'npm run chaos', startedAt: '2026-01-01T00:00:00Z', versions: { node: 'v20' }, ...fields }
}

describe('the report', () => {
  it('says which scenarios held, which broke and which were not run', () => {
    const text = toMarkdown(report({ sweep: [{ ...point, problems: [] }] }))
    assert.match(text, /Every promise held\./)
    assert.match(text, /\| 3 \| .* \| held: 1 points \|/)
    assert.match(text, /\| 6 \| .* \| not run \|/)
    assert.match(
      toMarkdown(report({ sweep: [{ ...point, problems: ['3 lost'] }] })),
      /\| 3 \| .* \| \*\*broken\*\*: 1 points \|/,
    )
  })

  it('names every problem with the part that found it', () => {
    const mutation = { name: 'fence', removed: '', by: '', evidence: '' }
    const storm = { strikes: {}, missed: {}, recoveries: [], durationMs: 1, restMs: 1, hubs: [], verdict, fenced: 0 }
    const problems = problemsOfReport(
      report({
        storm: { ...storm, problems: ['1 lost: d#4'] },
        sweep: [{ ...point, problems: ['never reached'] }],
        mutations: [{ ...mutation, isCaught: false }],
      }),
    )
    assert.deepEqual(problems, ['storm: 1 lost: d#4', 'own:before: never reached', 'mutation fence survived'])
  })

  it('counts strikes of a storm for the scenarios they belong to', () => {
    const storm = { missed: {}, recoveries: [], durationMs: 1, restMs: 1, hubs: [], verdict, fenced: 0, problems: [] }
    const text = toMarkdown(report({ storm: { ...storm, strikes: { 'hub-cut': 2, 'hub-lost-replies': 3 } } }))
    assert.match(text, /\| 9 \| .* \| held: 5 strikes \|/)
  })
})

describe('percentiles', () => {
  it('are values that occurred, by the nearest rank', () => {
    assert.deepEqual(percentilesOf([3, 1, 2]), { count: 3, p50: 2, p99: 3, max: 3 })
    assert.deepEqual(percentilesOf([5]), { count: 1, p50: 5, p99: 5, max: 5 })
  })

  it('are nothing of nothing', () => {
    assert.equal(percentilesOf([]), undefined)
  })
})
