import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { HandlerSpec } from '#core/protocol/handler-messages'
import { HandlerWatch } from '#src/processor/dispatch/handler-watch'

const BUILT_IN: HandlerSpec = { type: 'telemetry.analyze', options: {} }
const userHandler = (type: string): HandlerSpec => ({ type, options: {}, moduleUrl: 'file:///handler.mjs' })

/** Repeatable numbers in [0, 1). */
function randoms(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

class Rig {
  nowMs = 0
  readonly changes: string[] = []
  readonly watch: HandlerWatch

  constructor(specs: readonly HandlerSpec[], seed = 1) {
    this.watch = new HandlerWatch(specs, { nowMs: () => this.nowMs, random: randoms(seed) }, (type, state) => {
      this.changes.push(`${type} ${state}`)
    })
  }

  /** Lets ten different entries fail. */
  pause(type: string): void {
    for (let entry = 0; entry < 10; entry++) this.watch.ran(`${type} ${entry}`, type, 0, undefined, type)
  }
}

describe('the watch over the handlers', () => {
  it('lets entries for all run without the one that is paused, and entries for that one wait', () => {
    const rig = new Rig([BUILT_IN, userHandler('a'), userHandler('b')])
    rig.pause('a')
    assert.deepEqual(rig.watch.admit('*'), { kind: 'run', skip: 'a' })
    assert.deepEqual(rig.watch.admit('b'), { kind: 'run' })
    assert.deepEqual(rig.watch.admit('telemetry.analyze'), { kind: 'run' })
    assert.equal(rig.watch.admit('a').kind, 'wait')
    assert.deepEqual(rig.changes, ['a open'])
    assert.match(rig.watch.problem ?? '', /^a:/)
  })

  it('lets entries for all wait while two are paused, or when there is no other handler', () => {
    const two = new Rig([BUILT_IN, userHandler('a'), userHandler('b')])
    two.pause('a')
    two.pause('b')
    assert.equal(two.watch.admit('*').kind, 'wait')
    const single = new Rig([userHandler('a')])
    single.pause('a')
    assert.equal(single.watch.admit('*').kind, 'wait')
  })

  it('asks for a try when it is time, once, and closes with its success', () => {
    const rig = new Rig([BUILT_IN, userHandler('a')])
    rig.pause('a')
    rig.nowMs += 2000
    assert.deepEqual(rig.watch.admit('*'), { kind: 'try', handler: 'a' })
    assert.deepEqual(rig.watch.admit('*'), { kind: 'run', skip: 'a' })
    rig.watch.ran('any', 'a', 0, undefined, undefined)
    assert.deepEqual(rig.watch.admit('*'), { kind: 'run' })
    assert.deepEqual(rig.changes, ['a open', 'a closed'])
    assert.equal(rig.watch.problem, undefined)
  })

  it('does not blame, nor praise, a handler that was left out or not reached', () => {
    const rig = new Rig([userHandler('a'), userHandler('b'), userHandler('c')])
    for (let entry = 0; entry < 50; entry++) rig.watch.ran(`${entry}`, '*', 0, 'a', 'b')
    const [a, b, c] = rig.watch.handlers
    assert.deepEqual([a.failures, b.failures, c.failures], [0, 50, 0])
    assert.deepEqual([a.circuit.successes, b.circuit.state, c.circuit.successes], [0, 'open', 0])
  })

  it('brings back what waited for an outage in no wave: the peak is at most twice the mean', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { retries, attempts, dead } = outage(seed)
      assert.equal(dead, 0)
      assert.ok(attempts <= 10 + 60, `${attempts} calls of a handler that was away`)
      const mean = retries.reduce((sum, count) => sum + count, 0) / retries.length
      assert.ok(Math.max(...retries) <= 2 * mean, `peak ${Math.max(...retries)} of mean ${mean}, seed ${seed}`)
    }
  })
})

const ARRIVALS_PER_SECOND = 50
const OUTAGE_MS = 600_000
const MAX_RETRIES = 3

/**
 * A handler whose service is away for ten minutes, while entries go on coming.
 *
 * @returns entries per second that come again once it is back, up to where nine tenths have; calls made during the outage;
 *   entries that ran out of attempts
 */
function outage(seed: number): { retries: number[]; attempts: number; dead: number } {
  const rig = new Rig([BUILT_IN, userHandler('a')], seed)
  const { watch } = rig
  const due = new Map<number, { name: string; attempts: number }[]>()
  const later = (afterMs: number, entry: { name: string; attempts: number }) => {
    const tick = Math.ceil((rig.nowMs + afterMs) / 20)
    due.set(tick, [...(due.get(tick) ?? []), entry])
  }
  let calls = 0
  let dead = 0
  let waited = 0
  const backMs: number[] = []
  const give = (entry: { name: string; attempts: number }, isNew: boolean) => {
    const isAway = rig.nowMs < OUTAGE_MS
    let admission = watch.admit('a')
    if (admission.kind === 'try') {
      if (isAway) calls++
      watch.ran(entry.name, 'a', 0, undefined, isAway ? 'a' : undefined)
      admission = watch.admit('a')
    }
    if (admission.kind === 'wait') {
      if (isNew) waited++
      return later(admission.afterMs, entry)
    }
    if (!isAway) {
      watch.ran(entry.name, 'a', entry.attempts, undefined, undefined)
      if (!isNew) backMs.push(rig.nowMs)
      return
    }
    calls++
    watch.ran(entry.name, 'a', entry.attempts, undefined, 'a')
    if (watch.isPaused('a')) return later(watch.pauseMs('a'), entry)
    if (entry.attempts === MAX_RETRIES) dead++
    else later(watch.retryAfterMs('a', entry.attempts + 1), { ...entry, attempts: entry.attempts + 1 })
  }
  for (let tick = 0; tick * 20 < OUTAGE_MS + 400_000; tick++) {
    rig.nowMs = tick * 20
    if (rig.nowMs < OUTAGE_MS) give({ name: `${tick}`, attempts: 0 }, true)
    for (const entry of due.get(tick) ?? []) give(entry, false)
    due.delete(tick)
  }
  assert.equal(due.size, 0)
  assert.ok(waited > (ARRIVALS_PER_SECOND * OUTAGE_MS) / 1000 / 2)
  const [first] = backMs
  const last = backMs[Math.floor(backMs.length * 0.9)]
  const retries = Array.from({ length: Math.floor((last - first) / 1000) }, () => 0)
  for (const ms of backMs) {
    const second = Math.floor((ms - first) / 1000)
    if (second < retries.length) retries[second]++
  }
  return { retries, attempts: calls, dead }
}
