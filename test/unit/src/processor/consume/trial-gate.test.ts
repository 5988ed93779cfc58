import assert from 'node:assert/strict'
import { it } from 'node:test'
import { TrialGate } from '#src/processor/consume/trial-gate'

/** Passes the gate and stays inside until told to leave. */
function passing(gate: TrialGate, way: 'alone' | 'together', name: string, inside: string[]) {
  let leave: () => void = () => {}
  const passed = gate[way](async () => {
    inside.push(name)
    await new Promise<void>((resolve) => {
      leave = resolve
    })
    inside.splice(inside.indexOf(name), 1)
  })
  return { leave: () => leave(), passed }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

it('runs go on together; a trial waits for those before it, and those after it wait for the trial', async () => {
  const gate = new TrialGate()
  const inside: string[] = []
  const first = passing(gate, 'together', 'first', inside)
  const second = passing(gate, 'together', 'second', inside)
  const trial = passing(gate, 'alone', 'trial', inside)
  const third = passing(gate, 'together', 'third', inside)
  const fourth = passing(gate, 'together', 'fourth', inside)
  await turn()
  assert.deepEqual(inside, ['first', 'second'])
  first.leave()
  await first.passed
  await turn()
  assert.deepEqual(inside, ['second'])
  second.leave()
  await turn()
  assert.deepEqual(inside, ['trial'])
  trial.leave()
  await turn()
  assert.deepEqual(inside, ['third', 'fourth'])
  third.leave()
  fourth.leave()
  await Promise.all([second.passed, trial.passed, third.passed, fourth.passed])
})

it('trials come one after the other', async () => {
  const gate = new TrialGate()
  const inside: string[] = []
  const trials = ['a', 'b'].map((name) => passing(gate, 'alone', name, inside))
  await turn()
  assert.deepEqual(inside, ['a'])
  trials[0].leave()
  await turn()
  assert.deepEqual(inside, ['b'])
  trials[1].leave()
  await Promise.all(trials.map(({ passed }) => passed))
})

it('work that fails leaves the gate, and its failure is the caller’s', async () => {
  const gate = new TrialGate()
  await assert.rejects(
    gate.alone(() => Promise.reject(new Error('no'))),
    /no/,
  )
  await gate.together(async () => {})
})
