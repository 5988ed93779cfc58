import assert from 'node:assert/strict'
import { test } from 'node:test'
import { shardOf } from '#core/model/shard'

test('a device stays on its shard: the assignment is part of the stored format', () => {
  assert.deepEqual(
    ['roof', 'cellar', 'sensor_001', ''].map((device) => shardOf(device, 8)),
    [0, 6, 1, 5],
  )
})

test('devices named in a row spread over the shards', () => {
  const counts = new Array<number>(8).fill(0)
  for (let n = 0; n < 8000; n++) counts[shardOf(`sensor-${n}`, 8)]!++
  for (const count of counts) assert.ok(count > 800 && count < 1200, counts.join(' '))
})
