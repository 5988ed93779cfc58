import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readChaosOptions } from '#test/chaos/chaos-options'

test('the full run is ten minutes of storm and the whole sweep; a short one has half a minute', () => {
  const full = readChaosOptions(['--seed', '7'])
  assert.deepEqual([full.seed, full.minutes, full.parts, full.nemeses], [7, 10, ['storm', 'sweep'], undefined])
  assert.equal(readChaosOptions(['--short']).minutes, 0.5)
  assert.equal(readChaosOptions(['--short', '--minutes', '2']).minutes, 2)
})

test('lists are split at commas', () => {
  const options = readChaosOptions(['--nemeses', 'hub-kill,flaky', '--points', 'own:before', '--parts', 'flush'])
  assert.deepEqual([options.nemeses, options.points, options.parts], [['hub-kill', 'flaky'], ['own:before'], ['flush']])
})

test('what is not understood is an error that says why', () => {
  assert.throws(() => readChaosOptions(['--minutes', 'many']), /--minutes: expected a number/)
  assert.throws(() => readChaosOptions(['--seed', '']), /--seed: expected a number/)
  assert.throws(() => readChaosOptions(['--parts', 'storm,rain']), /rain is none of/)
  assert.throws(() => readChaosOptions(['--sed', '1']), /sed/)
})
