import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchId, isOfBatch, parseBatchId, partId, wholeBatchOf } from '#core/model/batch'

const batch = { producer: 'hub#1.r0', epoch: 17, shard: 3, seq: 42 }

test('a batch is found from its own id and from that of a part, also of a part of a part', () => {
  const id = batchId(batch, batch.shard)
  for (const name of [id, partId(id, 0), partId(partId(id, 437), 0)]) assert.deepEqual(wholeBatchOf(name), batch)
  assert.equal(parseBatchId(partId(id, 0)), undefined)
  for (const name of ['', '#1', 'x#y', 'hub-1.r0.17.3.42#', '3-1795520726468-6']) {
    assert.equal(wholeBatchOf(name), undefined, name)
  }
})

test('a part is of its batch and of no other that begins alike', () => {
  assert.ok(isOfBatch('a.1.0.4', 'a.1.0.4') && isOfBatch('a.1.0.4#7', 'a.1.0.4'))
  assert.ok(!isOfBatch('a.1.0.42', 'a.1.0.4') && !isOfBatch('a.1.0.42#7', 'a.1.0.4'))
})
