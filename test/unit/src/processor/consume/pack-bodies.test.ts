import assert from 'node:assert/strict'
import { it } from 'node:test'
import { packBodies } from '#src/processor/consume/pack-bodies'

it('bodies that are views of larger buffers are packed into one of exactly their size', () => {
  const pool = Uint8Array.from({ length: 10_000 }, (_, i) => i)
  const entries = [
    { id: 'a', body: pool.subarray(10, 13) },
    { id: 'b', body: pool.subarray(500, 500) },
    { id: 'c', body: Buffer.from(pool.buffer, 256, 2) },
  ]
  const { places, bodies } = packBodies(entries)
  assert.deepEqual([...bodies], [10, 11, 12, 0, 1])
  assert.equal(bodies.buffer.byteLength, 5)
  assert.deepEqual(places, [
    { id: 'a', offset: 0, length: 3 },
    { id: 'b', offset: 3, length: 0 },
    { id: 'c', offset: 3, length: 2 },
  ])
  structuredClone(bodies, { transfer: [bodies.buffer as ArrayBuffer] })
  assert.equal(entries[0].body[0], 10)
})
