import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchDecoder, MAX_BATCH_SAMPLES } from '#core/codec/batch-codec'
import { shardOf } from '#core/model/shard'
import { highWaterKey, type IngestRequest } from '#core/protocol/handler-messages'
import { rowsOf } from '#test/support/sample-rows'
import { ingestTasks } from '#workers/ingest-tasks'

const NOW_US = 1_750_000_000_000_000
const SHARDS = 4

function taskOf(device: string, change: Record<string, unknown> = {}, payload: Record<string, unknown> = {}) {
  return {
    type: 'telemetry.analyze',
    payload: { device_id: device, timestamp: 1_700_000_000, temperature: 20, ...payload },
    ...change,
  }
}

/** The tasks as one request; seqs are 1, 2, 3... times 10. Texts are sent as they are. */
function requestOf(tasks: readonly unknown[], highWaterSeqs = new Map<string, number>()): IngestRequest {
  const bodies = tasks.map((task) => Buffer.from(typeof task === 'string' ? task : JSON.stringify(task)))
  let offset = 3 // as if something else lay before
  const entries = bodies.map((body, at) => {
    const entry = { id: `e${at}`, seq: 10 * (at + 1), offset, length: body.length }
    offset += body.length
    return entry
  })
  return {
    entries,
    bodies: new Uint8Array(Buffer.concat([Buffer.alloc(3), ...bodies])),
    shards: SHARDS,
    producer: 'inbox',
    epoch: 5,
    highWaterSeqs,
  }
}

function valuesOf(body: Uint8Array): number[] {
  return [...new BatchDecoder().decode(body).values]
}

test('tasks become one batch per shard, priority and handler, in order of arrival', () => {
  const { batches, rejected } = ingestTasks(
    requestOf([
      taskOf('roof', {}, { temperature: 1 }),
      taskOf('roof', { priority: 'HIGH' }, { temperature: 2 }),
      taskOf('cellar', {}, { temperature: 3 }),
      taskOf('roof', { type: 'telemetry.store' }, { temperature: 4 }),
      taskOf('roof', {}, { temperature: 5 }),
    ]),
    NOW_US,
  )
  assert.deepEqual(rejected, [])
  const [roof, cellar] = [shardOf('roof', SHARDS), shardOf('cellar', SHARDS)]
  assert.notEqual(roof, cellar)
  assert.deepEqual(
    batches.map(({ shard, priority, handler, producer, seq, after, samples, body }) => {
      return { shard, priority, handler, producer, seq, after, samples, values: valuesOf(body) }
    }),
    [
      {
        shard: roof,
        priority: 1,
        handler: 'telemetry.analyze',
        producer: 'inbox.telemetry.analyze.normal',
        seq: 50,
        after: 0,
        samples: 2,
        values: [1, 5],
      },
      {
        shard: roof,
        priority: 0,
        handler: 'telemetry.analyze',
        producer: 'inbox.telemetry.analyze.high',
        seq: 20,
        after: 0,
        samples: 1,
        values: [2],
      },
      {
        shard: cellar,
        priority: 1,
        handler: 'telemetry.analyze',
        producer: 'inbox.telemetry.analyze.normal',
        seq: 30,
        after: 0,
        samples: 1,
        values: [3],
      },
      {
        shard: roof,
        priority: 1,
        handler: 'telemetry.store',
        producer: 'inbox.telemetry.store.normal',
        seq: 40,
        after: 0,
        samples: 1,
        values: [4],
      },
    ],
  )
})

test('a batch holds what the tasks say, and its header agrees with its envelope', () => {
  const first = taskOf('roof', {}, { humidity: 40, raw_data: 'AQI=', sequence_id: 7 })
  const second = {
    type: 'telemetry.analyze',
    payload: { device_id: 'roof', type: 'temperature', value: 70, unit: 'fahrenheit' },
  }
  const [batch] = ingestTasks(requestOf([first, second]), NOW_US).batches
  const { producer, epoch, seq, ...decoded } = new BatchDecoder().decode(batch.body)
  assert.deepEqual([producer, epoch, seq], [batch.producer, batch.epoch, batch.seq])
  assert.equal(batch.firstTakenAtUs, 1_700_000_000_000_000)
  const at = { takenAtUs: 1_700_000_000_000_000, sequence: 7, quality: 0 }
  const series = (channel: string, unit: string) => ({ device: 'roof', channel, unit })
  assert.deepEqual(rowsOf({ producer, epoch, seq, ...decoded }), [
    { ...at, series: series('temperature', 'celsius'), value: 20, raw: [1, 2] },
    { ...at, series: series('humidity', 'percent'), value: 40, raw: undefined },
    {
      series: series('temperature', 'fahrenheit'),
      value: 70,
      takenAtUs: NOW_US,
      sequence: 0,
      quality: 0,
      raw: undefined,
    },
  ])
})

test('a bad task is rejected by its own id and does not disturb the others', () => {
  const { batches, rejected } = ingestTasks(
    requestOf([
      '{"type":',
      taskOf('roof'),
      taskOf('roof', { priority: 'X' }),
      taskOf('roof', {}, { temperature: 'hot' }),
    ]),
    NOW_US,
  )
  assert.deepEqual(
    batches.map(({ seq, samples }) => [seq, samples]),
    [[20, 1]],
  )
  assert.deepEqual(
    rejected.map(({ id, error }) => [id, error.code, error.details.field]),
    [
      ['e0', 'TLM_TASK_INVALID', 'the body'],
      ['e2', 'TLM_TASK_INVALID', 'priority'],
      ['e3', 'TLM_TASK_INVALID', 'payload.temperature'],
    ],
  )
  assert.deepEqual(structuredClone(rejected), rejected)
})

test('tasks up to the high water of their own numbering give nothing, the rest goes after it', () => {
  const tasks = [
    taskOf('roof', {}, { temperature: 1 }),
    taskOf('roof', { priority: 2 }, { temperature: 2 }),
    taskOf('roof', {}, { temperature: 3 }),
  ]
  const numbering = highWaterKey('inbox.telemetry.analyze.normal', shardOf('roof', SHARDS))
  const again = ingestTasks(requestOf(tasks, new Map([[numbering, 10]])), NOW_US)
  assert.deepEqual(
    again.batches.map(({ priority, seq, after, body }) => [priority, seq, after, valuesOf(body)]),
    [
      [1, 30, 10, [3]],
      [2, 20, 0, [2]],
    ],
  )
  const settled = ingestTasks(requestOf(tasks, new Map([[numbering, 30]])), NOW_US)
  assert.deepEqual(
    settled.batches.map(({ priority }) => priority),
    [2],
  )
  assert.deepEqual(settled.rejected, [])
})

test('more samples than a batch may hold are cut between tasks and chained', () => {
  const channels = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`c${n}`, n]))
  const tasks = Array.from({ length: 1100 }, () => taskOf('roof', {}, channels))
  const { batches } = ingestTasks(requestOf(tasks), NOW_US)
  const perBatch = Math.floor(MAX_BATCH_SAMPLES / 61)
  assert.deepEqual(
    batches.map(({ seq, after, samples }) => [seq, after, samples]),
    [
      [10 * perBatch, 0, 61 * perBatch],
      [11_000, 10 * perBatch, 61 * (1100 - perBatch)],
    ],
  )
})

test('the same request gives the same batches', () => {
  const request = requestOf([taskOf('roof'), taskOf('cellar'), taskOf('attic')])
  assert.deepEqual(ingestTasks(request, NOW_US), ingestTasks(request, NOW_US))
})

test('no tasks give no batches', () => {
  assert.deepEqual(ingestTasks(requestOf([]), NOW_US), { batches: [], rejected: [] })
})
