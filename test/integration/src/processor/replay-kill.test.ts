import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { DeadLetterBox } from '#core/transport/dead-letters'
import * as redisStore from '#core/transport/redis/redis-stream'
import * as embeddedStore from '#src/embedded/embedded-stream'
import { noteName, type ReplayRecord } from '#src/processor/dead-letters/replay-job'
import { batch, store, until } from '#test/conformance/batch-stream-fixture'
import { allLetters } from '#test/conformance/dead-letters/dead-letter-fixture'
import { startRedis } from '#test/support/redis-server'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

const SHARDS = 8
const LETTERS = 240
const SAMPLES = 10
const RATE = 120
const root = await temporaryDirectory('replay-kill')
const redis = await startRedis()
after(() => redis.stop())

async function ask(url: string, method: 'GET' | 'POST', path: string, body?: object): Promise<ReplayRecord> {
  const headers = body && { 'content-type': 'application/json' }
  const response = await fetch(`${url}${path}`, { method, ...(headers && { headers, body: JSON.stringify(body) }) })
  const json = await response.json()
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${JSON.stringify(json)}`)
  return json as ReplayRecord
}

/** Waits until the job has replayed so many. */
function reached(url: string, id: string, replayed: number): Promise<ReplayRecord> {
  return until(`${replayed} are replayed`, async () => {
    const record = await ask(url, 'GET', `/dead-letters/jobs/${id}`)
    return record.counts.replayed >= replayed && record
  })
}

/** Makes the record of a job as old as it is some time after its process has died. */
async function age(box: DeadLetterBox, id: string): Promise<void> {
  const record = JSON.parse((await box.readNotes()).get(noteName(id))!) as ReplayRecord
  assert.equal(record.state, 'running')
  await box.writeNote(noteName(id), JSON.stringify({ ...record, savedAtMs: record.savedAtMs - 60_000 }))
}

for (const [name, module] of Object.entries({ Redis: redisStore, 'the embedded store': embeddedStore })) {
  test(`a replay on ${name} that is killed, gone on with, aborted and gone on with replays each letter once`, async () => {
    const data = join(root, name.replaceAll(' ', '-'))
    await mkdir(data)
    const queueName = 'test:replay-kill'
    const options = { host: '127.0.0.1', port: redis.port, queueName, directory: data, shards: SHARDS }
    const producer = await module.openBatchProducer(options)
    const box = await module.openDeadLetterBox(options)
    // No batches at all, so each dies at once, and once more when it is replayed: with its generation one higher.
    const share = LETTERS / SHARDS
    for (let shard = 0; shard < SHARDS; shard++) {
      await store(
        producer,
        Array.from({ length: share }, (_, i) => batch(i + 1, { shard })),
      )
    }
    const config = join(data, 'processor.yaml')
    await writeFile(config, 'lease_ms: 500\n')
    const where = module === redisStore ? ['--redis', `redis://127.0.0.1:${redis.port}`] : []
    const start = () => runProcessor(['--data', data, '--config', config, ...where], { QUEUE_NAME: queueName })

    const first = start()
    const url = await first.ready()
    await first.reaches('all are dead', ({ ledger }) => ledger.deadLettered === LETTERS * SAMPLES)
    const { id } = await ask(url, 'POST', '/dead-letters/replay', { filter: {}, ratePerSecond: RATE })
    const before = await reached(url, id, LETTERS / 6)
    await first.kill()
    assert.equal(before.state, 'running')
    await age(box, id)

    const second = start()
    const nextUrl = await second.ready()
    await ask(nextUrl, 'POST', `/dead-letters/jobs/${id}/resume`)
    await reached(nextUrl, id, LETTERS / 2)
    const aborted = await ask(nextUrl, 'POST', `/dead-letters/jobs/${id}/abort`)
    assert.equal(aborted.state, 'aborted')
    assert.ok(aborted.counts.replayed < LETTERS)
    await ask(nextUrl, 'POST', `/dead-letters/jobs/${id}/resume`)
    await until('the replay ends', async () => {
      return (await ask(nextUrl, 'GET', `/dead-letters/jobs/${id}`)).state === 'done'
    })

    const letters = await until('all have died again', async () => {
      const found = await allLetters(box)
      return found.length === LETTERS && found
    })
    assert.equal(new Set(letters.map(({ correlationId }) => correlationId)).size, LETTERS)
    assert.deepEqual(new Set(letters.map(({ generation }) => generation)), new Set([1]))
    assert.equal((await box.totals()).replayed, LETTERS)
    await second.stop()
    await Promise.all([producer.close(), box.close()])
  })
}
