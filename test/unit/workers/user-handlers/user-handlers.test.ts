import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type BatchSample, batchOf } from '#test/support/batches'
import { repositoryFile } from '#test/support/repository'
import { ALL_ANALYSES, ShardOwner, specOf } from '#test/support/shard-owner'
import { UserHandlers } from '#workers/user-handlers/user-handlers'

const INVALID = { code: 'TLM_OPTIONS_INVALID' }

function moduleUrl(path: string): string {
  return pathToFileURL(repositoryFile(path)).href
}

const dewPoint = (options: Record<string, unknown>) => ({
  type: 'climate.dew_point',
  options,
  moduleUrl: moduleUrl('deploy/handlers/dew-point.mjs'),
})

const misbehaving = (wrong: string) => ({
  type: 'test.misbehaving',
  options: { wrong },
  moduleUrl: moduleUrl('test/fixtures/handlers/misbehaving.mjs'),
})

const SAMPLES: BatchSample[] = [
  { device: 'room', channel: 'temperature', value: 20, takenAtUs: 1e15 },
  { device: 'room', channel: 'humidity', value: 50, takenAtUs: 1e15 },
  { device: 'room', channel: 'temperature', value: 20, takenAtUs: 2e15 },
  { device: 'room', channel: 'humidity', value: 95, takenAtUs: 2e15 },
]

test('the example of the documentation finds condensation', async () => {
  const owner = await ShardOwner.withUsers([dewPoint({ margin_celsius: 1.5 })])
  const reply = owner.run([batchOf(SAMPLES)])
  assert.equal(reply.findings.length, 1)
  const [{ key, handler, device, channel, atUs, batch, revision, body }] = reply.findings
  assert.deepEqual(
    { key, handler, device, channel, atUs, batch, revision },
    {
      key: 'climate.dew_point/room/2000000000000000',
      handler: 'climate.dew_point',
      device: 'room',
      channel: 'temperature',
      atUs: 2e15,
      batch: 'batch-0',
      revision: 0,
    },
  )
  assert.ok(Math.abs((body.dewPoint as number) - 19.18) < 0.05, `dew point ${body.dewPoint}`)
})

test('a module that refuses its options, or cannot be loaded, stops the start with its own words', async () => {
  await assert.rejects(UserHandlers.load([dewPoint({ margin_celsius: 'two' })]), {
    ...INVALID,
    message: /expected a number/,
  })
  await assert.rejects(UserHandlers.load([misbehaving('options')]), { ...INVALID, message: /may not be options/ })
  await assert.rejects(UserHandlers.load([misbehaving('type')]), {
    ...INVALID,
    message: /registers nothing and not test/,
  })
  const missing = { type: 'my.type', options: {}, moduleUrl: 'file:///no/such/file.mjs' }
  await assert.rejects(UserHandlers.load([missing]), { ...INVALID, message: /no\/such\/file/ })
  const builtIn = { ...dewPoint({}), type: 'telemetry.alert' }
  await assert.rejects(UserHandlers.load([builtIn]), { ...INVALID, message: /built-in/ })
})

const WRONG = {
  throws: /on purpose/,
  promise: /promise/,
  number: /returned number/,
  'too-many': /1000 findings/,
  'too-large': /16384 bytes/,
  'too-large-together': /1 MiB/,
  circular: /not JSON/,
  bigint: /not JSON/,
  'no-body': /no body/,
  'list-body': /no body/,
  key: /key.*begins with test\.misbehaving/,
  revision: /revision/,
  device: /device/,
  channel: /channel/,
  atUs: /atUs/,
  null: /no body/,
}
for (const [wrong, message] of Object.entries(WRONG)) {
  test(`a handler that goes wrong with "${wrong}" fails the entry and leaves no trace`, async () => {
    const builtIn = [...ALL_ANALYSES, 'telemetry.store'].map((type) => specOf(type))
    const owner = await ShardOwner.withUsers([misbehaving(wrong), ...builtIn])
    const reply = owner.run([batchOf(SAMPLES)], true)
    const [{ error, samples, rejected }] = reply.results
    assert.equal(error?.code, 'TLM_HANDLER_FAILED')
    assert.match(error?.message ?? '', message)
    assert.deepEqual({ samples, rejected }, { samples: 0, rejected: {} })
    assert.deepEqual([reply.findings, reply.chunks, reply.rows], [[], [], new Map()])
  })
}

test('a handler may find nothing, and what it keeps of a batch can no longer be read', async () => {
  const silent = await ShardOwner.withUsers([misbehaving('nothing')])
  assert.deepEqual(silent.run([batchOf(SAMPLES)]).findings, [])
  const keeping = await ShardOwner.withUsers([misbehaving('keeps')])
  assert.deepEqual(keeping.run([batchOf(SAMPLES)]).findings, [])
  assert.match(keeping.run([batchOf(SAMPLES)]).results[0].error?.message ?? '', /during the call only/)
})

test('an entry may ask for a user handler alone', async () => {
  const owner = await ShardOwner.withUsers([dewPoint({}), specOf('telemetry.analyze')])
  const reply = owner.run([batchOf(SAMPLES)], true, { handler: 'climate.dew_point' })
  assert.deepEqual(
    reply.findings.map(({ handler }) => handler),
    ['climate.dew_point'],
  )
})
