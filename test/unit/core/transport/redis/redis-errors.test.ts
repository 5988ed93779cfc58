import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toTelemetryError, troubleOf, writeFailure } from '#core/transport/redis/redis-errors'

test('each reply of Redis has its meaning', () => {
  const meanings = {
    'OOM command not allowed when used memory > maxmemory.': 'full',
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.": 'full',
    'NOSCRIPT No matching script. Please use EVAL.': 'no-script',
    "NOGROUP No such key 'x'": 'no-group',
    'UNBLOCKED the stream key no longer exists': 'no-group',
    'WRONGTYPE Operation against a key holding the wrong kind of value': 'misconfigured',
    'WRONGPASS invalid username-password pair or user is disabled.': 'misconfigured',
    'NOAUTH Authentication required.': 'misconfigured',
    'NOPERM this user has no permissions to run the command': 'misconfigured',
    "ERR unknown command 'XADD'": 'misconfigured',
    'ERR max number of clients reached': 'unavailable',
    "READONLY You can't write against a read only replica.": 'unavailable',
    'LOADING Redis is loading the dataset in memory': 'unavailable',
    'CLUSTERDOWN The cluster is down': 'unavailable',
    'BUSY Redis is busy running a script.': 'unavailable',
    'Connection is closed.': 'unavailable',
    'connect ECONNREFUSED 127.0.0.1:1': 'unavailable',
  }
  for (const [text, trouble] of Object.entries(meanings)) assert.equal(troubleOf(new Error(text)), trouble, text)
  assert.equal(
    troubleOf(Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })),
    'misconfigured',
  )
  assert.equal(troubleOf('no error at all'), 'unavailable')
})

test('the arguments of a command, a password perhaps, are in no message', () => {
  const text = "ERR unknown command 'AUTH', with args beginning with: 'secret' "
  const error = Object.assign(new Error(text), { command: { name: 'auth', args: ['secret'] } })
  const thrown = toTelemetryError(error, 'Redis at h:1')
  assert.equal(thrown.message, "Redis at h:1: ERR unknown command 'AUTH'.")
  assert.equal(thrown.cause, undefined)
  assert.ok(!JSON.stringify([thrown.message, thrown.details]).includes('secret'))
})

test('an error without a text is told by its code', () => {
  const { message } = toTelemetryError(Object.assign(new AggregateError([], ''), { code: 'ECONNREFUSED' }), 'Redis')
  assert.equal(message, 'Redis: ECONNREFUSED. Fix: start it, or check host, port and tls.')
})

test('a failed write says whether it was certainly not done', () => {
  const outcomeOf = (text: string) => writeFailure(toTelemetryError(new Error(text), 'Redis'))
  const { kind, ...full } = outcomeOf('OOM no memory')
  assert.equal(kind, 'refused')
  assert.equal((full as { reason: string }).reason, 'full')
  assert.equal(outcomeOf('Connection is closed.').kind, 'unavailable')
  assert.equal((outcomeOf('WRONGTYPE key') as { reason: string }).reason, 'misconfigured')
})

test('a redirection is an everyday thing in a cluster, and a wrong setting elsewhere', () => {
  const moved = new Error('MOVED 3999 127.0.0.1:6381')
  const inCluster = toTelemetryError(moved, 'Redis', true)
  assert.equal(inCluster.code, 'TLM_STREAM_UNAVAILABLE')
  assert.equal(inCluster.details.moved, 'MOVED 3999 127.0.0.1:6381')
  const single = toTelemetryError(moved, 'Redis')
  assert.equal(single.code, 'TLM_STREAM_MISCONFIGURED')
  assert.match(single.message, /Fix: set redis\.cluster/)
})

test('a slot on its way, and replicas that are missing, pass with time', () => {
  for (const text of ['ASK 1 127.0.0.1:1', 'TRYAGAIN Multiple keys request during rehashing of slot']) {
    const { code, message } = toTelemetryError(new Error(text), 'Redis', true)
    assert.equal(code, 'TLM_STREAM_UNAVAILABLE')
    assert.doesNotMatch(message, /Fix/, 'nobody has to do anything')
  }
  const { code, message } = toTelemetryError(new Error('NOREPLICAS Not enough good replicas to write.'), 'Redis')
  assert.equal(code, 'TLM_STREAM_UNAVAILABLE')
  assert.match(message, /Fix: connect replicas/)
})
