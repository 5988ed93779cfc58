import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Piscina } from 'piscina'
import type { Finding } from '#core/model/finding'
import type {
  HandlerReply,
  HandlerRequest,
  HandlerSpec,
  IngestReply,
  IngestRequest,
  PackedReply,
} from '#core/protocol/handler-messages'
import { unpackFindings } from '#core/protocol/packed-findings'
import { encodeBatch, requestOf } from '#test/support/encoded-batches'
import { repositoryFile } from '#test/support/repository'
import { ALL_ANALYSES, specOf } from '#test/support/shard-owner'

const pools: Piscina[] = []
after(() => Promise.all(pools.map((pool) => pool.destroy())))

const builtIn = [...ALL_ANALYSES, 'telemetry.store'].map((type) => specOf(type))

function userHandler(type: string, file: string): HandlerSpec {
  return { type, options: {}, moduleUrl: pathToFileURL(repositoryFile(file)).href }
}

/** A real pool over the real entry, with `threads` threads that stay. */
function poolOf(handlers: readonly HandlerSpec[], threads: number): Piscina {
  const pool = new Piscina({
    filename: new URL('../../../workers/handler-worker.js', import.meta.url).href,
    minThreads: threads,
    maxThreads: threads,
    workerData: { handlers },
  })
  pools.push(pool)
  return pool
}

async function run(pool: Piscina, request: HandlerRequest): Promise<HandlerReply> {
  const transferList = [request.bodies.buffer as ArrayBuffer]
  const reply = (await pool.run(request, { name: 'run', transferList })) as PackedReply
  return { ...reply, findings: unpackFindings(reply.findings.json) }
}

/** Batch `n` of a source that gets new series as it goes on. */
function batchNumber(n: number): Uint8Array {
  const samples = Array.from({ length: 60 + n * 7 }, (_, i) => ({
    device: `device-${i % (4 + n)}`,
    channel: 'temperature',
    value: 20 + ((i * 7919 + n * 104729) % 1000) / 100,
    takenAtUs: 1.7e15 + (n * 1000 + i) * 100_000,
    sequence: n * 1000 + i,
  }))
  return encodeBatch(samples)
}

function content(findings: readonly Finding[]): Map<string, string> {
  return new Map(findings.map(({ key, revision, body }) => [key, `${revision} ${JSON.stringify(body)}`]))
}

test('two threads taking turns on one shard give what one thread gives', async () => {
  const rounds = 40
  const which = userHandler('test.which_thread', 'test/fixtures/handlers/which-thread.mjs')
  const pair = poolOf([which, ...builtIn], 2)
  const single = poolOf(builtIn, 1)
  const threads = new Set<unknown>()
  const found = { pair: [] as Finding[], single: [] as Finding[] }
  const states: { pair?: SharedArrayBuffer; single?: SharedArrayBuffer; other?: SharedArrayBuffer } = {}
  const sizes = new Set<number>()
  let rows: { pair?: ReadonlyMap<string, Uint8Array>; single?: ReadonlyMap<string, Uint8Array> } = {}
  for (let round = 0; round < rounds; round++) {
    const checkpoint = round === rounds - 1
    const request = (shard: number, state: SharedArrayBuffer | undefined) =>
      requestOf([batchNumber(round)], [`b${round}`], { shard, checkpoint, ...(state && { state }) })
    // Another shard keeps one thread busy, in turn the first and the second that is free.
    const other = () => run(pair, request(1, states.other))
    const own = () => run(pair, request(0, states.pair))
    const [first, second] = await Promise.all(round % 2 === 0 ? [own(), other()] : [other(), own()])
    const [reply, otherReply] = round % 2 === 0 ? [first, second] : [second, first]
    const alone = await run(single, request(0, states.single))
    states.pair = reply.state
    states.other = otherReply.state
    states.single = alone.state
    sizes.add(reply.state.byteLength)
    for (const { handler, body } of reply.findings) if (handler === 'test.which_thread') threads.add(body.threadId)
    found.pair.push(...reply.findings.filter(({ handler }) => handler !== 'test.which_thread'))
    found.single.push(...alone.findings)
    rows = { pair: reply.rows, single: alone.rows }
  }
  assert.equal(threads.size, 2, 'both threads had the shard')
  assert.ok(sizes.size > 1, 'the state grew on the way')
  assert.deepEqual(content(found.pair), content(found.single))
  assert.deepEqual(rows.pair, rows.single)
  assert.equal(rows.pair?.size, 4 + rounds - 1)
})

test('rows of one thread bring the shard to life in another, and chunks come as buffers of their own', async () => {
  const pool = poolOf(builtIn, 1)
  const first = await run(pool, requestOf([batchNumber(0)], ['a'], { checkpoint: true }))
  const successor = poolOf(builtIn, 1)
  const resumed = await run(successor, requestOf([batchNumber(1)], ['b'], { rows: first.rows, checkpoint: true }))
  const straight = await run(pool, requestOf([batchNumber(1)], ['b'], { state: first.state, checkpoint: true }))
  assert.deepEqual(content(resumed.findings), content(straight.findings))
  assert.deepEqual(resumed.rows, straight.rows)
  const [{ key, body }] = resumed.chunks
  assert.equal(key, 'b')
  assert.equal(body.buffer.byteLength, body.length)
  assert.deepEqual(new Uint8Array(body), new Uint8Array(batchNumber(1)))
})

test('a user handler that cannot be loaded rejects every run and blames no entry', async () => {
  const pool = poolOf([userHandler('my.type', 'no/such/module.mjs')], 1)
  for (let attempt = 0; attempt < 2; attempt++) {
    await assert.rejects(run(pool, requestOf([batchNumber(0)], ['a'])), /Handler my\.type, module file:.*module\.mjs/)
  }
})

test('a pushed task becomes a batch in one call of the pool and findings in the next', async () => {
  const pool = poolOf(builtIn, 1)
  const task = { type: 'telemetry.alert', payload: { device_id: 'boiler', timestamp: 1_700_000_000, temperature: 99 } }
  const bodies = new TextEncoder().encode(JSON.stringify(task))
  const request: IngestRequest = {
    entries: [{ id: '1', seq: 1, offset: 0, length: bodies.length }],
    bodies,
    shards: 1,
    producer: 'inbox',
    epoch: 1,
    highWaterSeqs: new Map(),
  }
  const { batches, rejected }: IngestReply = await pool.run(request, { name: 'ingest' })
  assert.deepEqual(rejected, [])
  assert.equal(batches.length, 1)
  const [{ body, handler }] = batches
  const reply = await run(pool, requestOf([new Uint8Array(body)], ['pushed'], { handler }))
  assert.deepEqual(
    reply.findings.map(({ key }) => key),
    ['alert/temperature_high/boiler/temperature/1700000000000000'],
  )
})
