import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BatchDecoder } from '#core/codec/batch-codec'
import { TelemetryError } from '#core/errors/telemetry-error'
import type { QualityName } from '#core/model/quality'
import { type BatchSample, batchOf } from '#test/support/batches'
import { encodeBatch, requestOf } from '#test/support/encoded-batches'
import { ALL_ANALYSES, ShardOwner, specOf } from '#test/support/shard-owner'
import { FREE_SUMMARIES, SAMPLES_PER_SUMMARY } from '#workers/handlers/analyze'
import { HandlerSet } from '#workers/handlers/handler-set'
import { ShardRunner } from '#workers/shard-runner'
import { MAX_SERIES } from '#workers/state/shard-memory'
import { UserHandlers } from '#workers/user-handlers/user-handlers'

const ALL = [...ALL_ANALYSES, 'telemetry.store']
const users = await UserHandlers.load([])

function runnerOf(types: readonly string[]): ShardRunner {
  const decoder = new BatchDecoder()
  return new ShardRunner(new HandlerSet(types.map((type) => specOf(type))), users, (body) => decoder.decode(body))
}

test('a batch that cannot be decoded fails alone', () => {
  const good = encodeBatch([{ value: 1, takenAtUs: 7 }])
  const reply = runnerOf(ALL).run(
    requestOf([good, Uint8Array.of(1, 2, 3), good], ['x', 'y', 'z'], { checkpoint: true }),
  )
  assert.deepEqual(
    reply.results.map(({ error, samples }) => [error?.code, samples]),
    [
      [undefined, 1],
      ['TLM_BATCH_UNREADABLE', 0],
      [undefined, 1],
    ],
  )
  assert.equal(reply.findings.find(({ handler }) => handler === 'telemetry.analyze')?.body.count, 2)
})

test('an entry whose bytes did not all come is unreadable, not read short', () => {
  const request = requestOf([encodeBatch([{ value: 1, takenAtUs: 7 }])], ['x'])
  request.entries[0].length += 1
  assert.equal(runnerOf(ALL).run(request).results[0].error?.code, 'TLM_BATCH_UNREADABLE')
})

test('an entry that asks for one handler reaches that one only', () => {
  const owner = new ShardOwner(ALL.map((type) => specOf(type)))
  const reply = owner.run([batchOf([{ channel: 'temperature', value: 99, takenAtUs: 1 }])], true, {
    handler: 'telemetry.alert',
  })
  assert.deepEqual(
    reply.findings.map(({ handler }) => handler),
    ['telemetry.alert'],
  )
  assert.deepEqual(reply.chunks, [])
})

test('an entry that asks for a handler nobody configured has an error and no effect', () => {
  const owner = new ShardOwner([specOf('telemetry.alert')])
  const reply = owner.run([batchOf([{ value: 1, takenAtUs: 1 }])], true, { handler: 'telemetry.analyze' })
  assert.equal(reply.results[0].error?.code, 'TLM_TASK_INVALID')
  assert.match(reply.results[0].error?.message ?? '', /telemetry\.analyze/)
  assert.deepEqual([reply.findings, reply.rows], [[], new Map()])
})

test('untrusted samples are stored but not analysed, and counted by quality', () => {
  const qualities: QualityName[] = [
    'good',
    'stale',
    'range',
    'rate',
    'stuck',
    'stuck',
    'sentinel',
    'warming',
    'uncalibrated',
  ]
  const samples = qualities.map((quality, i): BatchSample => ({ value: i, takenAtUs: 1e15 + i, quality }))
  const owner = new ShardOwner(ALL.map((type) => specOf(type)))
  const { results, findings, chunks } = owner.run([batchOf(samples)], true)
  assert.deepEqual(results[0].rejected, {
    quality_stale: 1,
    quality_range: 1,
    quality_stuck: 2,
    quality_sentinel: 1,
    quality_warming: 1,
  })
  assert.equal(results[0].samples, 9)
  assert.deepEqual([results[0].firstTakenAtUs, results[0].lastTakenAtUs], [1e15, 1e15 + 8])
  assert.equal(findings.find(({ key }) => key === 'analyze/d/c')?.body.count, 3)
  assert.equal(chunks[0].samples, 9)
})

test('a stored chunk is the whole body in a buffer of its own', () => {
  const samples = [
    { device: 'a', channel: 't', value: 1, takenAtUs: 30 },
    { device: 'b', channel: 't', value: 2, takenAtUs: 10 },
  ]
  const body = encodeBatch(samples)
  const { chunks } = runnerOf(['telemetry.store']).run(requestOf([body, body], ['first', 'second']))
  for (const [index, key] of ['first', 'second'].entries()) {
    const { body: stored, ...rest } = chunks[index]
    assert.deepEqual(rest, { key, samples: 2, firstTakenAtUs: 10, lastTakenAtUs: 30, series: ['a/t', 'b/t'] })
    assert.equal(stored.buffer.byteLength, body.length)
    assert.deepEqual(new Uint8Array(stored), new Uint8Array(body))
  }
})

test('a run without entries is a checkpoint alone', () => {
  const owner = new ShardOwner(ALL.map((type) => specOf(type)))
  assert.equal(owner.run([batchOf([{ value: 1, takenAtUs: 1 }])]).findings.length, 1)
  const reply = owner.checkpoint()
  assert.deepEqual([...(reply.rows ?? [])].length, 1)
  assert.deepEqual(reply.findings, [])
  assert.deepEqual(owner.checkpoint().rows, new Map())
  assert.equal(owner.run([]).rows, undefined)
})

test('between checkpoints summaries come in turn, up to the bound of a run; the checkpoint brings the rest', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze', { max_summaries_per_run: 3 })])
  const samples = Array.from({ length: 40 }, (_, i) => ({ channel: `c${i % 20}`, value: i, takenAtUs: i }))
  const again = [{ channel: 'c0', value: 1, takenAtUs: 100 }]
  assert.deepEqual(keysOf(owner.run([batchOf(samples)])), summaryKeys(0, 3))
  assert.deepEqual(keysOf(owner.run([batchOf(again)])), summaryKeys(3, 6))
  assert.deepEqual(keysOf(owner.run([batchOf(again)])), summaryKeys(6, 9))
  assert.deepEqual(keysOf(owner.checkpoint()), [...summaryKeys(9, 20), 'analyze/d/c0'])
})

test('a run brings some summaries for nothing and more for its samples', () => {
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  const samples = Array.from({ length: 40 }, (_, i) => ({ channel: `c${i}`, value: i, takenAtUs: i }))
  const many = Array.from({ length: SAMPLES_PER_SUMMARY * 3 }, (_, i) => ({
    channel: 'c0',
    value: i,
    takenAtUs: 100 + i,
  }))
  assert.deepEqual(keysOf(owner.run([batchOf(samples)])), summaryKeys(0, FREE_SUMMARIES))
  assert.deepEqual(keysOf(owner.run([batchOf(many)])), summaryKeys(FREE_SUMMARIES, 2 * FREE_SUMMARIES + 3))
})

function keysOf({ findings }: { findings: readonly { key: string }[] }): string[] {
  return findings.map(({ key }) => key)
}

function summaryKeys(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `analyze/d/c${from + i}`)
}

test('from one series to five thousand: the state grows, every series keeps its own, and rows bring all of it back', () => {
  const owner = new ShardOwner(ALL.map((type) => specOf(type)))
  const sizes = new Set<number>()
  const COUNT = 5000
  for (let known = 1, round = 0; round < 14; known = Math.min(COUNT, known * 2), round++) {
    const samples = Array.from({ length: known }, (_, i) => ({
      device: `d${i >> 3}`,
      channel: `c${i & 7}`,
      value: i + 1,
      takenAtUs: round,
    }))
    sizes.add(owner.run([batchOf(samples)]).state.byteLength)
    if (round === 9) {
      owner.checkpoint()
      owner.crash()
    }
  }
  owner.checkpoint()
  assert.ok(sizes.size > 5, `${sizes.size} sizes`)
  assert.equal(owner.rows.size, COUNT)
  for (let i = 0; i < COUNT; i++) {
    const { body, revision } = owner.sink.get(`analyze/d${i >> 3}/c${i & 7}`)!
    assert.equal(body.mean, i + 1)
    assert.equal(revision, body.count)
  }
  assert.equal(owner.sink.get('analyze/d0/c0')?.body.count, 14)
})

test('names with slashes are series of their own, also after a restart', () => {
  const names = [
    ['a/b', 'c'],
    ['a', 'b/c'],
    ['a%2Fb', 'c'],
    ['', 'a/b/c'],
    ['\ud800', 'c'],
  ]
  const samples = names.map(([device, channel], i) => ({ device, channel, value: i, takenAtUs: i }))
  const owner = new ShardOwner([specOf('telemetry.analyze')])
  owner.run([batchOf(samples)], true)
  owner.crash()
  owner.run([batchOf(samples)], true)
  assert.deepEqual(
    [...owner.sink.values()].map(({ device, channel, body }) => [device, channel, body.mean, body.count]),
    names.map(([device, channel], i) => [device, channel, i, 2]),
  )
  assert.ok(owner.sink.has('analyze/a%2Fb/c') && owner.sink.has('analyze/a/b%2Fc'))
})

test('a channel that changes its unit within a batch stays one series in order of arrival', () => {
  const samples = Array.from({ length: 90 }, (_, i) => ({ value: i % 3, takenAtUs: i * 1e6 }))
  const clean = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
  clean.run([batchOf(samples)], true)
  const mixed = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
  const series = [
    ...batchOf(samples).series,
    { device: 'other', channel: 'c', unit: 'u' },
    { device: 'd', channel: 'c', unit: 'v' },
  ]
  const seriesIndex = Uint8Array.from(samples, (_, i) => (i % 2) * 2)
  mixed.run([{ ...batchOf(samples), series, seriesIndex }], true)
  assert.deepEqual(mixed.rows, clean.rows)
})

test('series beyond what a shard may have are refused and counted, the others go on', () => {
  const owner = new ShardOwner([specOf('telemetry.alert')])
  const many = Array.from({ length: MAX_SERIES }, (_, i) => ({ channel: `c${i}`, value: 1, takenAtUs: 1 }))
  assert.deepEqual(owner.run([batchOf(many)]).results[0].rejected, {})
  const { rejected } = owner.run([batchOf([...many.slice(0, 2), { channel: 'one too many', value: 1, takenAtUs: 1 }])])
    .results[0]
  assert.deepEqual(rejected, { series_limit: 1 })
})

test('state of another configuration is refused as memory, and as rows starts anew for the handler that changed', () => {
  const owner = new ShardOwner([specOf('telemetry.aggregate'), specOf('telemetry.anomaly_detect')])
  const { state } = owner.run([batchOf([{ value: 5, takenAtUs: 1e9 }])], true)
  const changed = [specOf('telemetry.aggregate', { sizes_ms: ['5s'] }), specOf('telemetry.anomaly_detect')]
  const successor = new ShardOwner(changed)
  assert.throws(() => successor.runner.run({ ...requestOf([], []), state }), { code: 'TLM_INVARIANT_BROKEN' })
  for (const [key, row] of owner.rows) successor.rows.set(key, row)
  const reply = successor.run([], true)
  assert.deepEqual(reply.restarted, { 'telemetry.aggregate': 1 })
  assert.deepEqual(reply.rows, new Map())
})

test('rows that are no rows are counted and the rest is kept', () => {
  const owner = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
  const samples = Array.from({ length: 300 }, (_, i) => ({ channel: `c${i % 3}`, value: i, takenAtUs: i * 1e6 }))
  owner.run([batchOf(samples)], true)
  const [[first, row], [second]] = [...owner.rows]
  for (let length = 0; length < row.length; length++) {
    const successor = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
    for (const [key, bytes] of owner.rows) successor.rows.set(key, key === first ? bytes.slice(0, length) : bytes)
    const reply = successor.run([batchOf(samples.slice(0, 3))], true)
    assert.deepEqual(reply.restarted, { row: 1 }, `cut at ${length}`)
    assert.equal(successor.sink.get(`analyze/${first}`)?.body.count, 1)
    assert.equal(successor.sink.get(`analyze/${second}`)?.body.count, 101)
  }
})

test('a row with any byte changed never breaks the run', () => {
  const owner = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
  const samples = Array.from({ length: 200 }, (_, i) => ({
    channel: 'temperature',
    value: 79 + (i % 5),
    takenAtUs: i * 1e6,
  }))
  owner.run([batchOf(samples)], true)
  const [[key, row]] = [...owner.rows]
  for (let at = 0; at < row.length; at++) {
    for (const flip of [1, 0x80, 0xff]) {
      const changed = row.slice()
      changed[at] ^= flip
      const successor = new ShardOwner(ALL_ANALYSES.map((type) => specOf(type)))
      successor.rows.set(key, changed)
      const reply = successor.run([batchOf(samples)], true)
      assert.equal(reply.results[0].error, undefined)
    }
  }
})

test('a handler that is configured twice is an error of the options', () => {
  assert.throws(() => new HandlerSet([specOf('telemetry.store'), specOf('telemetry.store')]), TelemetryError)
})
