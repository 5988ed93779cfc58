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

it('who waits for room gets what is given back, or nothing by its deadline or the end', async () => {
  const budget = new InFlightBudget(1)
  budget.reserve(1)
  const woken = budget.room(5, 60_000, never)
  budget.free(1)
  assert.equal(await woken, 1)
  assert.equal(budget.used, 1)
  assert.equal(await budget.room(5, 1, never), 0)
  const end = new AbortController()
  const ended = budget.room(5, 60_000, end.signal)
  end.abort()
  assert.equal(await ended, 0)
  assert.equal(await budget.room(5, 60_000, end.signal), 0)
  assert.equal(budget.used, 1)
})

it('who waits for room is served in turn, and before one that gives back and reserves anew', async () => {
  const budget = new InFlightBudget(2)
  budget.reserve(2)
  const order: string[] = []
  const first = budget.room(2, 60_000, never).then((granted) => order.push(`first ${granted}`))
  const second = budget.room(2, 60_000, never).then((granted) => order.push(`second ${granted}`))
  budget.free(1)
  assert.equal(budget.reserve(1), 0)
  budget.free(1)
  assert.equal(budget.reserve(1), 0)
  await Promise.all([first, second])
  assert.deepEqual(order, ['first 1', 'second 1'])
})

it('who wants nothing is told when something was given back', async () => {
  const budget = new InFlightBudget(2)
  budget.reserve(2)
  const told = budget.room(0, 60_000, never)
  budget.free(1)
  assert.equal(await told, 0)
  assert.equal(budget.used, 1)
})
