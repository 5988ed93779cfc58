import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deadLetterJson } from '#core/transport/redis/dead-letter-json'
import { inboxKeys } from '#core/transport/redis/keyspace'

test('a dead letter has the task as text, or in base64 when it is none', () => {
  const about = { class: 'kind', message: 'why', receivedAt: '2023-11-14T22:13:20.000Z' }
  const json = (task: Uint8Array) => deadLetterJson('kind', 'why', 1_700_000_000_000, task)
  assert.equal(json(Buffer.from('{"é":1}')), JSON.stringify({ ...about, task: '{"é":1}' }))
  assert.equal(json(Uint8Array.of(0xff, 0)), JSON.stringify({ ...about, task: '/wA=', encoding: 'base64' }))
  assert.equal(json(new Uint8Array(0)), JSON.stringify({ ...about, task: '' }))
})

test('dead letters go to the list that has dlq for the last part of the queue name', () => {
  const names = { 'telemetry:tasks': 'telemetry:dlq', 'a:b:c': 'a:b:dlq', tasks: 'tasks:dlq' }
  for (const [queue, dead] of Object.entries(names)) assert.equal(inboxKeys(queue).dead, dead)
})
