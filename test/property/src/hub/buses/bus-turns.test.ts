import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BusTurns, BusUser } from '#src/hub/buses/bus-turns'
import { VirtualTime } from '#test/support/virtual-time'

const TIMEOUT_MS = 100

/** What a device does over and over: waits, then has the bus so long, and is well or not. */
const habit = fc.record({
  pauseMs: fc.integer({ min: 1, max: 200 }),
  holdsMs: fc.integer({ min: 1, max: TIMEOUT_MS }),
  /** Of ten calls. */
  failsOf10: fc.constantFrom(0, 0, 0, 1, 5, 10),
})

test('one device at a time has the bus, the healthy go first, all get their turn, and trouble is rationed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(habit, { minLength: 2, maxLength: 6 }), async (habits) => {
      const time = new VirtualTime()
      const turns = new BusTurns(time, 'bus')
      /** Since when. */
      const waiting = new Map<BusUser, number>()
      let holder: BusUser | undefined
      let failingMs = 0
      let isOver = false
      const lives = habits.map(async ({ pauseMs, holdsMs, failsOf10 }, i) => {
        const user = new BusUser(`device-${i}`, TIMEOUT_MS)
        turns.add(user)
        for (let call = 0; !isOver; call++) {
          await time.pause(pauseMs)
          user.deadlineMs = time.monotonicMs() + pauseMs
          waiting.set(user, time.monotonicMs())
          const isFailing = user.isFailing
          try {
            await turns.take(user)
          } catch {
            return
          } finally {
            waiting.delete(user)
          }
          assert.equal(holder, undefined, 'two have the bus')
          holder = user
          if (isFailing) {
            // Those that began to wait in this very instant may have come after it.
            const nowMs = time.monotonicMs()
            const passedBy = [...waiting].filter(([other, sinceMs]) => !other.isFailing && sinceMs < nowMs)
            assert.deepEqual(passedBy, [])
          }
          await time.pause(holdsMs)
          holder = undefined
          const fails = call % 10 < failsOf10
          if (isFailing && fails) failingMs += holdsMs
          turns.give(user, holdsMs, !fails)
        }
      })
      await time.advance(20_000)
      const isAnyWell = habits.some(({ failsOf10 }) => failsOf10 === 0)
      // One call may be over the share.
      if (isAnyWell) assert.ok(failingMs <= 0.03 * 20_000 + 2 * TIMEOUT_MS, `${failingMs} ms of 20 s`)
      const healthyNeed = habits.reduce((sum, { holdsMs, pauseMs }) => sum + holdsMs / (pauseMs + holdsMs), 0)
      if (healthyNeed < 0.5) {
        for (const [i, user] of [...turns.users].entries()) {
          assert.ok(user.busyMs > 0, `device ${i} had no turn`)
        }
      }
      isOver = true
      waiting.clear()
      for (const user of [...turns.users]) turns.remove(user)
      await time.advance(1000)
      await Promise.all(lives)
      assert.equal(holder, undefined)
      assert.equal(time.pending, 0)
    }),
    { numRuns: 40 },
  )
})
