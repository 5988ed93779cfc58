import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { fairShare, preferredShards } from '#src/processor/consume/fair-share'

const members = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 80 })
  .map((names) => names.sort())
const shards = fc.integer({ min: 1, max: 64 })

it('fair shares own all shards between them and differ by at most one', () => {
  fc.assert(
    fc.property(members, shards, (names, count) => {
      const shares = names.map((name) => fairShare(names, name, count))
      assert.equal(
        shares.reduce((sum, share) => sum + share),
        count,
      )
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1)
    }),
  )
})

it('preferences are all shards, and first ones do not overlap between members', () => {
  fc.assert(
    fc.property(members, shards, (names, count) => {
      const first = names.flatMap((name) => {
        const order = preferredShards(names, name, count)
        assert.deepEqual(
          [...order].sort((a, b) => a - b),
          Array.from({ length: count }, (_, shard) => shard),
        )
        return order.slice(0, fairShare(names, name, count))
      })
      assert.equal(new Set(first).size, count)
    }),
  )
})

it('somebody who is not a member has no share', () => {
  assert.equal(fairShare(['a', 'b'], 'c', 8), 0)
})
