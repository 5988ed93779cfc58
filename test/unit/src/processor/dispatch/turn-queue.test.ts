import assert from 'node:assert/strict'
import { it } from 'node:test'
import { TurnQueue } from '#src/processor/dispatch/turn-queue'

it('urgent ones go first, each kind in turn', () => {
  const queue = new TurnQueue<string>()
  for (const name of ['a', 'b']) queue.push(name, false)
  for (const name of ['A', 'B']) queue.push(name, true)
  assert.deepEqual(
    [queue.shift(), queue.shift(), queue.shift(), queue.shift(), queue.shift()],
    ['A', 'B', 'a', 'b', undefined],
  )
})

it('others have every ninth turn, however many are urgent', () => {
  const queue = new TurnQueue<string>()
  for (let i = 0; i < 3; i++) queue.push('other', false)
  const turns = Array.from({ length: 27 }, () => {
    queue.push('urgent', true)
    return queue.shift()
  })
  assert.deepEqual(
    turns.flatMap((turn, i) => (turn === 'other' ? [i] : [])),
    [8, 17, 26],
  )
})

it('all are taken out at the end', () => {
  const queue = new TurnQueue<string>()
  queue.push('a', false)
  queue.push('A', true)
  assert.deepEqual(queue.clear().sort(), ['A', 'a'])
  assert.equal(queue.shift(), undefined)
})
