import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashSlot, SLOTS, shardTags } from '#core/transport/redis/hash-slot'

test('keys hash to the slots that the cluster specification gives', () => {
  // Its check value, and slots that CLUSTER KEYSLOT of Redis 7.0 answers.
  assert.equal(hashSlot('123456789'), 0x31c3)
  assert.equal(hashSlot('somekey'), 11_058)
  assert.equal(hashSlot('foo{hash_tag}'), 2515)
  assert.equal(hashSlot(''), 0)
})

test('only what stands in the first braces counts, unless that is nothing', () => {
  assert.equal(hashSlot('{user1000}.following'), hashSlot('user1000'))
  assert.equal(hashSlot('foo{{bar}}zap'), hashSlot('{bar'))
  assert.equal(hashSlot('foo{bar}{zap}'), hashSlot('bar'))
  assert.notEqual(hashSlot('foo{}{bar}'), hashSlot('bar'))
  assert.notEqual(hashSlot('foo{bar'), hashSlot('bar'))
})

test('spread tags put each shard into its own part of the slots, whatever the queue is called', () => {
  for (const queue of ['telemetry:tasks', 'q', 'größe ü', 'a'.repeat(128)]) {
    for (const shards of [1, 2, 3, 8, 64]) {
      const tags = shardTags(queue, shards, 'spread')
      const parts = tags.map((tag) => Math.floor((hashSlot(`{${tag}}:high`) * shards) / SLOTS))
      assert.deepEqual(
        parts,
        tags.map((_, shard) => shard),
        `${queue} ${shards}`,
      )
      assert.deepEqual(tags, shardTags(queue, shards, 'spread'), 'the same for everybody')
    }
  }
})

test('plain tags are the names that queues had before there were others', () => {
  assert.deepEqual(shardTags('telemetry:tasks', 2, 'plain'), ['telemetry:tasks:0', 'telemetry:tasks:1'])
})
