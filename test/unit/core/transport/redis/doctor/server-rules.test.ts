import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  hasClientEvictionBug,
  judgeClock,
  judgeReplicas,
  judgeRights,
  judgeSafety,
  judgeSettings,
} from '#core/transport/redis/doctor/server-rules'

const HEALTHY = {
  redis_version: '7.0.15',
  maxmemory_policy: 'noeviction',
  maxmemory: '1073741824',
  aof_enabled: '1',
  connected_slaves: '0',
}

function verdicts(changes: Readonly<Record<string, string>>, maxMemoryClients?: string, isEphemeral = false) {
  const info = new Map(Object.entries({ ...HEALTHY, ...changes }))
  const facts = { info, maxMemoryClients }
  const judgements = [...judgeSafety(facts), ...judgeSettings(facts, isEphemeral)]
  for (const { verdict, message } of judgements) assert.equal(verdict === 'ok', !message.includes('Fix: '), message)
  return Object.fromEntries(judgements.map(({ check, verdict }) => [check, verdict]))
}

const ALL_WELL = { version: 'ok', eviction: 'ok', memory: 'ok', persistence: 'ok' }

test('a Redis of the documented settings is well', () => {
  assert.deepEqual(verdicts({}), ALL_WELL)
  assert.deepEqual(verdicts({ redis_version: '7.2.4', valkey_version: '8.0.1' }), ALL_WELL)
})

test('what loses batches is refused, what will hurt one day is warned of', () => {
  assert.equal(verdicts({ maxmemory_policy: 'volatile-lru' }).eviction, 'refuse')
  assert.equal(verdicts({ redis_version: '6.2.14' }).version, 'refuse')
  assert.equal(verdicts({ maxmemory: '0' }).memory, 'warn')
  assert.equal(verdicts({ aof_enabled: '0' }).persistence, 'warn')
  assert.equal(verdicts({ aof_enabled: '0' }, undefined, true).persistence, 'ok')
  assert.equal(verdicts({ aof_last_write_status: 'err' }).persistence, 'warn')
})

test('versions in which client eviction is dangerous are refused only when it is on', () => {
  for (const redis_version of ['7.2.0', '7.4.3', '8.0.0', '8.6.2']) {
    assert.equal(verdicts({ redis_version }, '0').version, 'ok')
    assert.equal(verdicts({ redis_version }, '1048576').version, 'refuse')
    assert.equal(verdicts({ redis_version }, undefined).version, 'warn', 'it may not be asked')
  }
  for (const redis_version of ['7.0.15', '7.1.242', '8.6.3', '8.10.0', '10.0.0']) {
    assert.equal(hasClientEvictionBug(new Map([['redis_version', redis_version]])), false, redis_version)
  }
})

test('a user who may not use INFO is told so, and nothing else is guessed', () => {
  const facts = { info: new Map(), maxMemoryClients: undefined }
  assert.deepEqual(
    [...judgeSafety(facts), ...judgeSettings(facts, false)].map(({ check, verdict }) => [check, verdict]),
    [['info', 'warn']],
  )
})

test('a clock that is off by more than five seconds is warned of, whichever way', () => {
  assert.equal(judgeClock(4999).verdict, 'ok')
  assert.match(judgeClock(6100).message, /6\.1 s ahead of this host's/)
  assert.match(judgeClock(-3_600_000).message, /3600\.0 s behind this host's/)
})

test('replicas that are too few, and a primary that would go on without them, are warned of', () => {
  const facts = (connected: string) => ({
    info: new Map([['connected_slaves', connected]]),
    maxMemoryClients: undefined,
  })
  assert.match(judgeReplicas(facts('1'), 2, '2').message, /has 1 of the 2/)
  assert.match(judgeReplicas(facts('2'), 2, '0').message, /min-replicas-to-write 2/)
  assert.equal(judgeReplicas(facts('2'), 2, '2').verdict, 'ok')
  assert.equal(judgeReplicas(facts('2'), 2, undefined).verdict, 'ok', 'it may not be asked')
})

test('missing rights are named with the grant that mends them', () => {
  assert.match(judgeRights(['XADD', 'XGROUP CREATE']).message, /XADD, XGROUP CREATE.*\+xadd \+xgroup\|create/)
  assert.equal(judgeRights([]).verdict, 'ok')
})
