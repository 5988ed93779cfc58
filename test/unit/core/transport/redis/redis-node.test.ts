import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readMoved } from '#core/transport/redis/redis-node'

test('a redirection names the slot and who holds it', () => {
  assert.deepEqual(readMoved('MOVED 3999 127.0.0.1:6381'), { slot: 3999, to: { host: '127.0.0.1', port: 6381 } })
  assert.deepEqual(readMoved('MOVED 0 redis-1.example:7000'), { slot: 0, to: { host: 'redis-1.example', port: 7000 } })
  assert.deepEqual(readMoved('MOVED 16383 ::1:7000'), { slot: 16_383, to: { host: '::1', port: 7000 } })
})

test('anything else is none, also a slot that does not exist or a holder without a host', () => {
  for (const text of [
    'ASK 3999 127.0.0.1:6381',
    'MOVED 16384 127.0.0.1:1',
    'MOVED 1 :6381',
    'MOVED',
    'ERR MOVED 1 a:1',
  ]) {
    assert.equal(readMoved(text), undefined, text)
  }
})
