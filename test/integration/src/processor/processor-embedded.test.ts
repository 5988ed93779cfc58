import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { StoredSample } from '#core/protocol/sink-messages'
import type { BatchProducer } from '#core/transport/batch-stream'
import { openBatchProducer, openBatchStream, openPressureSignal } from '#src/embedded/embedded-stream'
import { imbalanceOf } from '#src/processor/processor-figures'
import { fetchFindings } from '#test/support/findings-api'
import { momentsOf } from '#test/support/recording'
import { repositoryFile } from '#test/support/repository'
import { readingOf, TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

const SHARDS = 8
const root = await temporaryDirectory('processor')

async function storeAt(name: string): Promise<{ data: string; producer: BatchProducer }> {
  const data = join(root, name)
  await mkdir(data)
  return { data, producer: await openBatchProducer({ directory: data, shards: SHARDS }) }
}

describe('node dist/processor.js over the embedded store', () => {
  it('makes findings that an independent computation confirms, and stores the samples themselves', async () => {
    const { data, producer } = await storeAt('findings')
    const processor = runProcessor(['--data', data])
    const url = await processor.ready()
    const feed = new TelemetryFeed(producer, 6)
    for (let i = 0; i < 30; i++) await feed.append(10)
    await processor.reaches('all settled', ({ ledger }) => ledger.settled === feed.samples)
    for (let device = 0; device < feed.devices; device++) {
      const query = { handler: 'telemetry.analyze', device: `device-${device}`, channel: 'temperature' }
      const [{ body, batch }] = await fetchFindings(url, query)
      const expected = momentsOf(feed.valuesOf(device))
      assert.equal(body.count, expected.count)
      assert.equal(body.min, expected.min)
      assert.equal(body.max, expected.max)
      assert.ok(Math.abs((body.mean as number) - expected.mean) < 1e-9)
      assert.match(batch, /^feed\.1\.\d\.\d+$/)
    }
    const windows = await fetchFindings(url, { handler: 'telemetry.aggregate', device: 'device-0', order: 'asc' })
    // The first reading falls into second 20 of its minute, so minutes end at readings 40, 100, 160, 220 and 280.
    assert.deepEqual(
      windows.map(({ body }) => body.count),
      [40, 60, 60, 60, 60],
    )
    assert.ok((await fetchFindings(url, { handler: 'telemetry.alert' })).length > 0)
    const newest = (await (await fetch(`${url}/samples?device=device-3&channel=temperature&limit=25`)).json()) as {
      samples: StoredSample[]
    }
    assert.deepEqual(
      newest.samples.map(({ value }) => value),
      feed.valuesOf(3).slice(-25).reverse(),
    )
    const end = await processor.stop()
    assert.equal(imbalanceOf(end.ledger), 0)
    assert.deepEqual([end.ledger.inFlight, end.ledger.released, end.backlog.samples], [0, 0, 0])
    await producer.close()
  })

  it('puts hostile batches aside with their reason and processes their neighbours', async () => {
    const { data, producer } = await storeAt('hostile')
    const feed = new TelemetryFeed(producer, 4)
    const hostile = [
      new Uint8Array(0),
      randomBytes(500),
      Uint8Array.from({ length: 70_000 }, () => 0x91), // arrays in arrays in arrays
      Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff), // an array of four billion
      new Uint8Array(100).fill(0xc1),
    ]
    await feed.append(20)
    await producer.append(hostile.map((body, index) => feed.seal(index % SHARDS, body, 7)))
    await feed.append(20)
    const processor = runProcessor(['--data', data])
    const url = await processor.ready()
    const { ledger } = await processor.reaches('all settled', ({ ledger }) => ledger.settled === feed.samples)
    assert.equal(ledger.deadLettered, 7 * hostile.length)
    await processor.reaches(
      'the store knows',
      ({ backlog }) => backlog.deadLetters === hostile.length && backlog.entries === 0,
    )
    assert.match(processor.output, /"correlationId":"feed\.1\.\d\.\d+".*"code":"TLM_BATCH_UNREADABLE"/)
    assert.equal((await fetchFindings(url, { handler: 'telemetry.analyze' })).length, 4)
    await processor.stop()
    await producer.close()
  })

  it('puts a batch aside that exhausts the memory of its thread, alone, and processes its neighbours once', async () => {
    const { data, producer } = await storeAt('poison')
    const feed = new TelemetryFeed(producer, 1)
    const config = join(data, 'processor.yaml')
    const killing = repositoryFile('test/fixtures/handlers/killing.mjs')
    const handlers = `[{ type: telemetry.analyze }, { type: test.killing, module: ${killing}, how: memory, poison: ${readingOf(0, 14)} }]`
    await writeFile(config, `worker_pool: { max_heap: 64MiB }\nhandlers: ${handlers}\n`)
    for (let i = 0; i < 30; i++) await feed.append(1)
    const processor = runProcessor(['--data', data, '--config', config])
    const url = await processor.ready()
    const { ledger } = await processor.reaches('all but one settled', ({ ledger }) => ledger.settled === 29, 60_000)
    assert.deepEqual([ledger.deadLettered, imbalanceOf(ledger)], [1, 0])
    const [{ body }] = await fetchFindings(url, { handler: 'telemetry.analyze' })
    const expected = momentsOf(feed.valuesOf(0).filter((_, reading) => reading !== 14))
    assert.equal(body.count, expected.count)
    assert.ok(Math.abs((body.mean as number) - expected.mean) < 1e-9)
    await processor.stop()
    await producer.close()
  })

  it('holds everything back while its findings cannot be written, says so, and loses nothing', async () => {
    const { data, producer } = await storeAt('sink')
    const path = join(data, 'findings.db')
    await writeFile(path, 'no database '.repeat(1000))
    const feed = new TelemetryFeed(producer, 4)
    for (let i = 0; i < 20; i++) await feed.append(5)
    const config = join(data, 'processor.yaml')
    await writeFile(config, 'backpressure: { max_head_age_ms: 1000 }\n')
    const processor = runProcessor(['--data', data, '--config', config])
    const url = await processor.ready()
    const { ledger } = await processor.reaches(
      'the sink is down',
      ({ isSinkUp, ledger }) => !isSinkUp && ledger.leased > 0,
    )
    assert.equal(ledger.settled, 0)
    const health = await fetch(`${url}/health`)
    assert.equal(health.status, 503)
    assert.match(await health.text(), /"reason":"sink","problem":"The findings database .* is no SQLite database/)
    await processor.reaches('hubs are told', ({ pressure }) => pressure === 'red')
    const signal = await openPressureSignal({ directory: data, shards: SHARDS })
    assert.equal(await signal.read(), 'red')
    await rm(path)
    const end = await processor.reaches('all settled', (figures) => figures.ledger.settled === feed.samples)
    await processor.reaches('hubs are told', ({ pressure }) => pressure === 'green')
    assert.equal(await signal.read(), 'green')
    assert.equal(end.isSinkUp, true)
    assert.equal((await fetchFindings(url, { handler: 'telemetry.analyze' })).length, 4)
    await processor.stop()
    await producer.close()
  })

  it('releases its shards at once when it stops', async () => {
    const { data, producer } = await storeAt('release')
    const config = join(data, 'processor.yaml')
    await writeFile(config, 'lease_ms: 600000\n')
    const processor = runProcessor(['--data', data, '--config', config])
    const feed = new TelemetryFeed(producer, 4)
    await feed.append(50)
    await processor.reaches('it works', ({ ledger }) => ledger.settled > 0)
    await processor.stop()
    const stream = await openBatchStream({ directory: data, shards: SHARDS }, 'test')
    for (let shard = 0; shard < SHARDS; shard++) assert.ok(await stream.own(shard, 1000), `shard ${shard} is held`)
    assert.deepEqual(await stream.beat(1000), ['test'])
    await stream.close()
    await producer.close()
  })

  it('answers 422 to queries that it does not understand, naming all that is wrong', async () => {
    const { data, producer } = await storeAt('queries')
    const processor = runProcessor(['--data', data])
    const url = await processor.ready()
    const ask = async (path: string) => {
      const response = await fetch(`${url}${path}`)
      return [response.status, ((await response.json()) as { error?: string }).error]
    }
    const [status, error] = await ask('/findings?limti=3&limit=0&from=yesterday')
    assert.equal(status, 422)
    for (const part of [/limti/, /limit: expected a whole number from 1/, /from: expected microseconds/]) {
      assert.match(error as string, part)
    }
    assert.equal((await ask('/samples?device=a'))[0], 422)
    assert.equal((await ask('/findings?from=2026-01-01T00:00:00Z&to=1800000000000000&order=asc'))[0], 200)
    assert.equal((await ask('/health'))[0], 200)
    const metrics = await (await fetch(`${url}/metrics`)).text()
    assert.match(metrics, /^processor_ledger_imbalance_samples 0$/m)
    assert.match(await (await fetch(`${url}/latency`)).text(), /Percentile/)
    await processor.stop()
    await producer.close()
  })

  it('says what is wrong with its handlers and does not start', async () => {
    const config = join(root, 'handlers.yaml')
    await writeFile(config, 'handlers: [{ type: telemetry.analize }, { type: telemetry.aggregate, size_ms: 5 }]\n')
    const processor = runProcessor(['--data', join(root, 'none'), '--config', config])
    assert.equal(await processor.ended(), 78)
    assert.match(processor.output, /did you mean telemetry\.analyze/)
    assert.match(processor.output, /size_ms/)
  })
})
