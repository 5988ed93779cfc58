import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { judge, problemsOf } from '#test/chaos/oracle/checker'
import type { Evidence, HandlerRun } from '#test/chaos/oracle/evidence'
import { type HubEnd, NO_HUB } from '#test/chaos/oracle/journal'

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

function run(first: number, last: number, pid = 1): HandlerRun {
  return { pid, batch: `b${first}`, device: 'd', first, last }
}

function hub(fields: Partial<HubEnd> = {}): HubEnd {
  return { hub: 0, endedBy: 'stop', outlives: 100, droppedBy: {}, imbalance: 0, ...fields }
}

/** A device whose hundred samples all took effect, in ten batches. */
function wellRun(fields: Partial<Evidence> = {}): Evidence {
  const stored = fields.stored ?? new Map([['d', numbers(0, 100)]])
  return {
    offers: new Map([['d', [{ first: 0, count: 100, hub: 0, outcome: 'accepted' as const }]]]),
    hubs: [hub()],
    atRisk: new Set(),
    stored,
    deadLetters: [],
    aliens: [],
    summaries: new Map([...stored].map(([device, all]) => [device, summaryOf(all)])),
    runs: numbers(0, 10).map((n) => run(n * 10, n * 10 + 9)),
    processorImbalances: [0],
    leftovers: new Map([['entries', 0]]),
    ...fields,
  }
}

function summaryOf(all: readonly number[]) {
  const once = [...new Set(all)]
  return { count: once.length, mean: once.reduce((sum, n) => sum + n, 0) / once.length }
}

describe('the oracle of the chaos suite', () => {
  it('has nothing to say of a run in which every sample took effect once', () => {
    const verdict = judge(wellRun())
    assert.deepEqual(problemsOf(verdict), [])
    assert.deepEqual([verdict.accepted, verdict.effected, verdict.reruns], [100, 100, 0])
  })

  it('finds a planted loss, and names it', () => {
    const stored = new Map([['d', numbers(0, 100).filter((n) => n !== 42)]])
    const verdict = judge(wellRun({ stored }))
    assert.deepEqual(verdict.lost, [{ device: 'd', number: 42 }])
    assert.match(problemsOf(verdict).join(), /1 lost: d#42/)
  })

  it('finds a planted duplicate: a sample in two stored batches', () => {
    const stored = new Map([['d', [...numbers(0, 100), 17]]])
    assert.deepEqual(judge(wellRun({ stored })).duplicated, [{ device: 'd', number: 17 }])
  })

  it('finds a sample that both took effect and was dead-lettered', () => {
    const deadLetters = [{ device: 'd', number: 5, class: 'x' }]
    const { duplicated, innocents } = judge(wellRun({ deadLetters }))
    assert.deepEqual([duplicated.length, innocents.length], [1, 1])
  })

  it('finds an innocent among the dead letters', () => {
    const stored = new Map([['d', numbers(0, 99)]])
    const deadLetters = [{ device: 'd', number: 99, class: 'crash-loop' }]
    const verdict = judge(wellRun({ stored, deadLetters }))
    assert.deepEqual(verdict.lost, [])
    assert.match(problemsOf(verdict).join(), /1 innocent and dead-lettered: d#99/)
  })

  it('finds a planted reorder, but lets batches run again', () => {
    const again = [run(0, 9), run(10, 19), run(0, 9), run(10, 19), run(20, 29)]
    const verdict = judge(wellRun({ runs: again }))
    assert.deepEqual([verdict.reordered, verdict.reruns], [[], 2])
    const stored = new Map([['d', [...numbers(0, 10), ...numbers(20, 100), ...numbers(10, 20)]]])
    assert.equal(judge(wellRun({ stored })).reordered.length, 10)
  })

  it('lets samples that must be tried again leave the order', () => {
    const offers = new Map([['flaky', [{ first: 0, count: 2, hub: 0, outcome: 'accepted' as const }]]])
    assert.deepEqual(problemsOf(judge(wellRun({ offers, stored: new Map([['flaky', [1, 0]]]), runs: [] }))), [])
  })

  it('finds a state that counted a sample twice, or other samples', () => {
    const twice = new Map([['d', { count: 101, mean: 49.5 }]])
    assert.equal(judge(wellRun({ summaries: twice })).wrongState.length, 1)
    const others = new Map([['d', { count: 100, mean: 49.6 }]])
    assert.equal(judge(wellRun({ summaries: others })).wrongState.length, 1)
  })

  it('finds a bad sample that took effect', () => {
    const offers = new Map([['bad-exit', [{ first: 0, count: 1, hub: 0, outcome: 'accepted' as const }]]])
    const verdict = judge(wellRun({ offers, stored: new Map([['bad-exit', [0]]]), runs: [] }))
    assert.deepEqual(verdict.unconvicted, [{ device: 'bad-exit', number: 0 }])
  })

  it('finds a sample that a killed hub had said it stored', () => {
    const offers = new Map([['d', [{ first: 0, count: 100, hub: 0, outcome: 'stored' as const }]]])
    const stored = new Map([['d', numbers(0, 99)]])
    const verdict = judge(wellRun({ offers, stored, hubs: [hub({ endedBy: 'kill', outlives: 50 })] }))
    assert.deepEqual(verdict.lost, [{ device: 'd', number: 99 }])
  })

  it('finds ledgers that do not add up, and what is left at rest', () => {
    const evidence = wellRun({
      hubs: [hub({ imbalance: 3 })],
      processorImbalances: [0, -1],
      leftovers: new Map([['entries', 2]]),
    })
    assert.equal(judge(evidence).unbalanced.length, 3)
  })

  describe('of a hub that was killed', () => {
    const killed = (outlives: number) => [hub({ endedBy: 'kill', outlives })]

    it('tells apart what was in its memory only, and bounds it', () => {
      const verdict = judge(wellRun({ hubs: killed(90), stored: new Map([['d', numbers(0, 92)]]) }))
      assert.deepEqual(verdict.missing.inHubMemory, [{ hub: 0, samples: 8, atMost: 10 }])
      assert.deepEqual(problemsOf(verdict), [])
    })

    it('calls lost what is more than its memory can have held', () => {
      const verdict = judge(wellRun({ hubs: killed(95), stored: new Map([['d', numbers(0, 92)]]) }))
      assert.equal(verdict.lost.length, 3)
    })

    it('calls lost what is missing before a sample that arrived', () => {
      const stored = new Map([['d', numbers(0, 95).filter((n) => n !== 50)]])
      assert.deepEqual(judge(wellRun({ hubs: killed(90), stored })).lost, [{ device: 'd', number: 50 }])
    })

    it('calls lost what a hub that was not killed is missing', () => {
      assert.equal(judge(wellRun({ stored: new Map([['d', numbers(0, 92)]]) })).lost.length, 8)
    })
  })

  it('lets missing samples be covered by what the hub counted as dropped, and no more', () => {
    const stored = new Map([['d', numbers(0, 92)]])
    const verdict = judge(wellRun({ stored, hubs: [hub({ droppedBy: { store_rolled_back: 5, ring_full: 0 } })] }))
    assert.deepEqual([verdict.lost.length, verdict.missing.counted], [3, { store_rolled_back: 5 }])
  })

  it('calls a pushed task lost that Redis had confirmed, whatever a hub had in its memory', () => {
    const offers = new Map([['pushed', [{ first: 0, count: 3, hub: NO_HUB, outcome: 'accepted' as const }]]])
    const stored = new Map([['pushed', [0, 1]]])
    const verdict = judge(wellRun({ offers, stored, runs: [], hubs: [hub({ endedBy: 'kill', outlives: 0 })] }))
    assert.deepEqual(verdict.lost, [{ device: 'pushed', number: 2 }])
  })

  it('tells apart pushed tasks that a killed Redis may not have written yet', () => {
    const offers = new Map([['pushed', [{ first: 0, count: 3, hub: NO_HUB, outcome: 'accepted' as const }]]])
    const verdict = judge(wellRun({ offers, stored: new Map([['pushed', [0]]]), runs: [], atRisk: new Set([0, 1]) }))
    assert.deepEqual([verdict.lost, verdict.missing.inRedisMemory], [[{ device: 'pushed', number: 2 }], 1])
  })

  it('does not ask for samples of which nobody knows whether the hub took them', () => {
    const offers = new Map([['d', [{ first: 0, count: 100, hub: 0, outcome: 'uncertain' as const }]]])
    const verdict = judge(wellRun({ offers, stored: new Map([['d', numbers(0, 30)]]) }))
    assert.deepEqual([verdict.lost, verdict.uncertain], [[], 100])
  })
})
