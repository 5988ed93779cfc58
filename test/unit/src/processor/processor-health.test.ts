import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type HealthInputs, HealthJudge } from '#src/processor/processor-health'

const WELL: HealthInputs = { storeProblem: undefined, sinkProblem: undefined, waiting: 0, leased: 0 }

function judgeAt(): { judge: HealthJudge; time: { ms: number } } {
  const time = { ms: 0 }
  return { time, judge: new HealthJudge({ nowUs: () => 0, monotonicMs: () => time.ms }) }
}

describe('the health of a processor', () => {
  it('names the store before the sink', () => {
    const { judge } = judgeAt()
    assert.deepEqual(judge.judge(WELL), { status: 'ok' })
    assert.deepEqual(judge.judge({ ...WELL, sinkProblem: 'full' }), {
      status: 'degraded',
      reason: 'sink',
      problem: 'full',
    })
    const both = judge.judge({ ...WELL, storeProblem: 'away', sinkProblem: 'full' })
    assert.deepEqual(both, { status: 'degraded', reason: 'store', problem: 'away' })
  })

  it('is bad when batches wait and none is leased for long, whatever else is well', () => {
    const { judge, time } = judgeAt()
    judge.judge({ ...WELL, waiting: 5, leased: 100 })
    time.ms = 30_000
    assert.equal(judge.judge({ ...WELL, waiting: 5, leased: 100 }).status, 'ok')
    time.ms = 31_000
    const stalled = judge.judge({ ...WELL, waiting: 5, leased: 100 })
    assert.deepEqual(stalled, {
      status: 'degraded',
      reason: 'stall',
      problem: '5 batches wait and none was leased for 31 s',
    })
    assert.equal(judge.judge({ ...WELL, waiting: 5, leased: 101 }).status, 'ok')
  })

  it('stays good however long there is nothing to do', () => {
    const { judge, time } = judgeAt()
    judge.judge(WELL)
    time.ms = 1e9
    assert.equal(judge.judge(WELL).status, 'ok')
    time.ms += 1000
    assert.equal(judge.judge({ ...WELL, waiting: 1 }).status, 'ok')
  })
})
