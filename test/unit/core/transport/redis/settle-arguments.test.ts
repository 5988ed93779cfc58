import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fingerprintOf } from '#core/transport/dead-letters/fingerprint'
import type { UnsettledEntry } from '#core/transport/redis/carried-entries'
import { cut, settleArguments } from '#core/transport/redis/settle-arguments'

const entry = (streamId: string, fields: Partial<UnsettledEntry> = {}): UnsettledEntry => {
  return { priority: 1, streamId, samples: 10, bytes: 100, attempts: 0, deliveryCount: 1, isCounted: false, ...fields }
}
const unsettled = new Map([
  ['a', entry('1-0')],
  ['b', entry('2-0', { priority: 0, deliveryCount: 3 })],
  ['c', entry('3-0', { priority: 2, attempts: 2 })],
])

test('the four lists follow each other, each behind its length', () => {
  const { args, settledIds } = settleArguments(
    {
      ack: ['a'],
      retry: [{ id: 'b', priority: 0, attempts: 4, afterMs: 10.2 }],
      deadLetter: [{ id: 'c', priority: 2, class: 'kind', message: 'why' }],
      state: new Map([
        ['set', Uint8Array.of(1)],
        ['gone', undefined],
        ['gone too', undefined],
      ]),
    },
    unsettled,
  )
  const acks = [1, 1, 1, 10, 100, '10,100;', '1-0']
  const retries = [1, 0, '2-0', 4, 3, 11, '']
  const dead = [1, 2, '3-0', 10, 100, 2, 1, 'kind', 'why', fingerprintOf('kind', 'why'), 0]
  assert.deepEqual(args, [...acks, ...retries, ...dead, 1, 'set', Buffer.of(1), 'gone', 'gone too'])
  assert.deepEqual([...settledIds], ['a', 'b', 'c'])
})

test('ids that are unknown or named before are left out', () => {
  const retry = [{ id: 'a', priority: 1 as const, attempts: 1, afterMs: -5 }]
  const { args, settledIds } = settleArguments(
    { ack: ['x', 'a', 'a'], retry, deadLetter: [], state: new Map() },
    unsettled,
  )
  assert.deepEqual(args, [1, 1, 1, 10, 100, '10,100;', '1-0', 0, 0, 0])
  assert.deepEqual([...settledIds], ['a'])
})

test('acknowledgements go by priority, a thousand a group at most', () => {
  const many = new Map(Array.from({ length: 1001 }, (_, i) => [`${i}`, entry(`${i}-0`, { samples: i, bytes: 1 })]))
  many.set('low', entry('9-1', { priority: 2 }))
  const { args } = settleArguments({ ack: [...many.keys()], retry: [], deadLetter: [], state: new Map() }, many)
  assert.deepEqual(args.slice(0, 5), [3, 1, 1000, 499_500, 1000])
  assert.deepEqual(args.slice(6 + 1000), [1, 1, 1000, 1, '1000,1;', '1000-0', 2, 1, 10, 100, '10,100;', '9-1', 0, 0, 0])
})

test('parts of an entry follow it, and a retry names the handler it is for', () => {
  const part = { correlationId: 'c#7', samples: 1, firstTakenAtUs: 5, body: Uint8Array.of(9) }
  const order = { id: 'c', priority: 2 as const, class: 'kind', message: 'why' }
  const { args } = settleArguments(
    {
      ack: [],
      retry: [{ id: 'b', priority: 0, attempts: 0, afterMs: 0, handler: 'mine' }],
      deadLetter: [{ ...order, part }, order, { ...order, message: 'too', part }],
      state: new Map(),
    },
    unsettled,
  )
  const partFor = (message: string) => ['kind', message, fingerprintOf('kind', message), 'c#7', 1, 5, Buffer.of(9)]
  const first = ['kind', 'why', fingerprintOf('kind', 'why')]
  const dead = [1, 2, '3-0', 10, 100, 2, 1, ...first, 2, ...partFor('why'), ...partFor('too')]
  assert.deepEqual(args, [0, 1, 0, '2-0', 0, 3, 0, 'mine', ...dead, 0])
})

test('a text is cut to bytes without splitting a character', () => {
  assert.equal(cut('short', 10), 'short')
  assert.equal(cut('ééé', 5), 'éé')
  assert.equal(cut('😀😀', 7), '😀')
  assert.equal(cut('abc', 2), 'ab')
})
