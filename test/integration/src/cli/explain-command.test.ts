import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { openBatchProducer as openRedisProducer } from '#core/transport/redis/redis-stream'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { startRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

const SHARDS = 8
const root = await temporaryDirectory('explain-command')
const redis = await startRedis()
after(() => redis.stop())

for (const kind of ['Redis', 'the embedded store']) {
  test(`a batch can be followed from its death over its replay to its findings, on ${kind}`, async () => {
    const data = join(root, kind.replaceAll(' ', '-'))
    await mkdir(data)
    const connection = { host: '127.0.0.1', port: redis.port, queueName: 'test:explain', shards: SHARDS }
    const isRedis = kind === 'Redis'
    const store = isRedis ? ['--redis', `redis://127.0.0.1:${redis.port}`, '--data', data] : ['--data', data]
    const env = { QUEUE_NAME: 'test:explain' }
    const producer = isRedis
      ? await openRedisProducer(connection)
      : await openBatchProducer({ directory: data, shards: SHARDS })
    const file = join(data, 'failing')
    await writeFile(file, '')
    const config = join(data, 'processor.yaml')
    const module = repositoryFile('test/fixtures/handlers/failing-while.mjs')
    const failing = `{ type: test.failing_while, module: ${module}, file: ${file} }`
    const handlers = `[{ type: telemetry.analyze }, { type: telemetry.store }, ${failing}]`
    await writeFile(config, `max_retries: 0\nhandlers: ${handlers}\n`)
    const explain = async (id: string) => {
      const args = [repositoryFile('dist/processor.js'), 'explain', id, ...store, '--json']
      const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } })
      return JSON.parse(stdout)
    }

    const feed = new TelemetryFeed(producer, 1)
    await feed.append(10)
    const processor = runProcessor([...store, '--config', config], env)
    const url = await processor.ready()
    await processor.reaches('it died', ({ ledger }) => ledger.deadLettered === 10)
    const { letters } = (await (await fetch(`${url}/dead-letters`)).json()) as {
      letters: { id: string; correlationId: string }[]
    }
    const [{ id, correlationId }] = letters
    const dead = await explain(id)
    assert.deepEqual([dead.batch, dead.verdict, dead.stored], [correlationId, 'dead', undefined])
    assert.equal(dead.trace.places[0].letter.class, 'handler-error')
    await rm(file)
    const body = JSON.stringify({ ids: [id] })
    const headers = { 'content-type': 'application/json' }
    const replayed = await fetch(`${url}/dead-letters/replay`, { method: 'POST', headers, body })
    assert.deepEqual(await replayed.json(), { outcomes: [{ id, outcome: 'replayed' }] })
    await processor.reaches('it is settled', ({ ledger }) => ledger.settled === 10)
    const settled = await explain(correlationId)
    assert.equal(settled.verdict, 'settled')
    assert.equal(settled.stored.samples, 10)
    assert.deepEqual(
      settled.findings.map(({ key, batch }: { key: string; batch: string }) => [key, batch]),
      [['analyze/device-0/temperature', correlationId]],
    )
    await processor.stop()
    await producer.close()
  })
}
