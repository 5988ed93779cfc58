import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Priority } from '#core/model/priority'
import { CarriedEntries } from '#core/transport/redis/carried-entries'
import { readEntry } from '#core/transport/redis/stream-entry'

/** What a reader does in one turn: entries come (their priority and size), then a lease takes some. */
const turns = fc.array(
  fc.record({
    came: fc.array(fc.tuple(fc.constantFrom<Priority[]>(0, 1, 2), fc.nat(50)), { maxLength: 8 }),
    limits: fc.record({ maxEntries: fc.integer({ min: 1, max: 6 }), maxBytes: fc.nat(120) }),
  }),
)

test('every entry is handed out once, within the limits, and each priority in order', () => {
  fc.assert(
    fc.property(turns, (steps) => {
      const carried = new CarriedEntries()
      const waiting: number[][] = [[], [], []]
      const sizes = new Map<number, number>()
      let next = 1
      for (const { came, limits } of steps) {
        for (const [priority, size] of came) {
          carried.push(readEntry(priority, `${next}-0`, [Buffer.from('b'), Buffer.alloc(size)], 0))
          sizes.set(next, size)
          waiting[priority].push(next++)
        }
        const wanted = carried.wanted(limits.maxEntries)
        const before = waiting.map((queue) => queue.length)
        const taken = carried.take(limits)
        assert.ok(taken.length <= limits.maxEntries)
        const ids = taken.map(({ streamId }) => Number.parseInt(streamId, 10))
        const bytes = ids.reduce((sum, id) => sum + sizes.get(id)!, 0)
        assert.ok(taken.length === 1 || bytes <= limits.maxBytes)
        assert.equal(
          taken.length === 0,
          before.every((count) => count === 0),
        )
        for (const { priority, streamId } of taken) {
          assert.equal(Number.parseInt(streamId, 10), waiting[priority].shift())
        }
        for (const { priority } of taken.slice(-1)) {
          assert.equal(carried.lastHandedOut[priority], taken.at(-1)!.streamId)
        }
        assert.deepEqual(
          wanted,
          [0, 1, 2].filter((priority) => before[priority] < limits.maxEntries),
        )
      }
      assert.equal(carried.isEmpty, waiting.flat().length === 0)
    }),
    { verbose: 1 },
  )
})
