import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BusTurns, BusUser } from '#src/hub/buses/bus-turns'
import { VirtualTime } from '#test/support/virtual-time'

function build(...users: BusUser[]) {
  const time = new VirtualTime()
  const turns = new BusTurns(time, 'rs485')
  for (const user of users) turns.add(user)
  const order: string[] = []
  const take = (user: BusUser, deadlineMs: number) => {
    user.deadlineMs = deadlineMs
    return turns.take(user).then(
      () => order.push(user.name),
      (error) => order.push(`${user.name}: ${error.details.fault}`),
    )
  }
  const fail = async (user: BusUser, tookMs: number) => {
    await turns.take(user)
    await time.advance(tookMs)
    turns.give(user, tookMs, false)
  }
  return { time, turns, order, take, fail }
}

describe('the turns of a bus', () => {
  it('go one at a time, the earliest deadline first', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take } = build(a, b, c)
    take(a, 50)
    take(b, 30)
    take(c, 20)
    await time.advance(0)
    assert.deepEqual(order, ['a'])
    for (const user of [a, c, b]) {
      turns.give(user, 5, true)
      await time.advance(0)
    }
    assert.deepEqual(order, ['a', 'c', 'b'])
    assert.equal(turns.holder, undefined)
    assert.deepEqual([a.busyMs, b.busyMs, c.busyMs], [5, 5, 5])
  })

  it('come to a device in trouble only when nobody healthy waits', async () => {
    const [well, bad] = ['well', 'bad'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take, fail } = build(well, bad)
    await fail(bad, 1)
    await fail(bad, 1)
    assert.equal(bad.isFailing, true)
    await turns.take(well)
    take(bad, 1)
    take(well, 1000)
    turns.give(well, 1, true)
    await time.advance(0)
    assert.deepEqual(order, ['well'])
    turns.give(well, 1, true)
    await time.advance(0)
    assert.deepEqual(order, ['well', 'bad'])
  })

  it('are rationed for a device in trouble while anybody is well', async () => {
    const [well, bad] = ['well', 'bad'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take, fail } = build(well, bad)
    await turns.take(well)
    turns.give(well, 1, true)
    for (let i = 0; i < 3; i++) await fail(bad, 100)
    take(bad, 0)
    await time.advance(3200)
    assert.deepEqual(order, [])
    await time.advance(100)
    assert.deepEqual(order, ['bad'])
  })

  it('are not rationed when nobody is well: then there is nobody to protect', async () => {
    const [one, two] = ['one', 'two'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take, fail } = build(one, two)
    for (let i = 0; i < 3; i++) await fail(one, 100)
    take(one, 0)
    await time.advance(0)
    assert.deepEqual(order, ['one'])
    assert.equal(turns.holder, one)
  })

  it('are given at once to all in trouble when one of them is well again: the bus may have been the trouble', async () => {
    const [a, b] = ['a', 'b'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take, fail } = build(a, b)
    for (const user of [a, b]) {
      await turns.take(user)
      turns.give(user, 1, true)
    }
    for (let i = 0; i < 3; i++) for (const user of [a, b]) await fail(user, 100)
    for (let i = 0; i < 4 && a.isFailing; i++) {
      await turns.take(a)
      turns.give(a, 1, true)
    }
    assert.equal(a.isFailing, false)
    take(b, 0)
    await time.advance(0)
    assert.deepEqual(order, ['b'])
  })

  it('are not lost by a device that fails half of the time, and rationed all the same', async () => {
    const user = new BusUser('flapping', 100)
    for (let i = 0; i < 6; i++) {
      user.settle(100, false, 0)
      user.settle(1, true, 0)
    }
    assert.equal(user.isFailing, false)
    user.settle(100, false, 0)
    assert.equal(user.isFailing, true)
    user.settle(1, true, 0)
    assert.equal(user.isFailing, false)
  })

  it('end at once for all who wait when a call does not end, and go on when it has', async () => {
    const [a, b] = ['a', 'b'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take } = build(a, b)
    await turns.take(a)
    take(b, 1)
    turns.markStuck()
    await time.advance(0)
    take(b, 1)
    await time.advance(0)
    assert.deepEqual(order, ['b: busy', 'b: busy'])
    turns.give(a, 500, false)
    take(b, 1)
    await time.advance(0)
    assert.deepEqual(order.at(-1), 'b')
  })

  it('are given up by a device that is stopped, and leave no timer behind', async () => {
    const [well, bad] = ['well', 'bad'].map((name) => new BusUser(name, 100))
    const { time, turns, order, take, fail } = build(well, bad)
    await turns.take(well)
    turns.give(well, 1, true)
    for (let i = 0; i < 3; i++) await fail(bad, 100)
    take(bad, 0)
    turns.remove(bad)
    assert.equal(time.pending, 0)
    await time.advance(0)
    assert.deepEqual(order, ['bad: io'])
  })
})
