import assert from 'node:assert/strict'
import { it } from 'node:test'
import { InFlightBudget } from '#src/processor/consume/in-flight-budget'

const never = new AbortController().signal

it('the budget never grants more than its bound, whatever the shares were', () => {
  const budget = new InFlightBudget(10)
  assert.equal(budget.reserve(8), 8)
  assert.equal(budget.reserve(8), 2)
  assert.equal(budget.reserve(8), 0)
  assert.equal(budget.reserve(-3), 0)
  budget.free(4)
  assert.equal(budget.used, 6)
  assert.equal(budget.reserve(100), 4)
})

it('the share of a shard shrinks as others join and grows as they leave, but is never nothing', () => {
  const budget = new InFlightBudget(3)
  const leave = [budget.join(), budget.join(), budget.join(), budget.join()]
  assert.equal(budget.share, 1)
  assert.equal(budget.isScarce, true)
  for (const leaveOne of leave.slice(1)) leaveOne()
  assert.equal(budget.share, 3)
  assert.equal(budget.isScarce, false)
})

it('who waits for room is woken by what is given back, by its deadline, and by the end', async () => {
  const budget = new InFlightBudget(1)
  budget.reserve(1)
  const woken = budget.room(60_000, never)
  budget.free(1)
  await woken
  await budget.room(1, never)
  const end = new AbortController()
  const ended = budget.room(60_000, end.signal)
  end.abort()
  await ended
  await budget.room(60_000, end.signal)
})
