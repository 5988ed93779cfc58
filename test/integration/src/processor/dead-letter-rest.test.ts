import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import type { BatchProducer } from '#core/transport/batch-stream'
import { openBatchProducer as openRedisProducer } from '#core/transport/redis/redis-stream'
import { openBatchProducer } from '#src/embedded/embedded-stream'
import { imbalanceOf } from '#src/processor/processor-figures'
import { fetchFindings } from '#test/support/findings-api'
import { momentsOf } from '#test/support/recording'
import { startRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runProcessor } from '#test/support/test-program'

const SHARDS = 8
const TOKEN = 'open sesame'
const root = await temporaryDirectory('dead-letter-rest')
const redis = await startRedis()
after(() => redis.stop())

interface Store {
  args: string[]
  producer: BatchProducer
  data: string
}

async function embeddedStore(name: string): Promise<Store> {
  const data = join(root, `embedded-${name}`)
  await mkdir(data)
  return { args: ['--data', data], data, producer: await openBatchProducer({ directory: data, shards: SHARDS }) }
}

async function redisStore(name: string): Promise<Store> {
  const data = join(root, `redis-${name}`)
  await mkdir(data)
  const queueName = `test:${name}`
  await writeFile(join(data, 'queue.yaml'), '')
  const producer = await openRedisProducer({ host: '127.0.0.1', port: redis.port, queueName, shards: SHARDS })
  return { args: ['--data', data, '--redis', `redis://127.0.0.1:${redis.port}`], data, producer }
}

class Api {
  readonly #url: string

  constructor(url: string) {
    this.#url = url
  }

  // biome-ignore lint/suspicious/noExplicitAny: JSON of many shapes, which the test compares.
  async ask(method: string, path: string, body?: unknown, token = TOKEN): Promise<{ status: number; json: any }> {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${this.#url}${path}`, { method, headers, ...(body !== undefined && { body: text }) })
    return { status: response.status, json: await response.json() }
  }

  async ok(method: string, path: string, body?: unknown) {
    const { status, json } = await this.ask(method, path, body)
    assert.ok(status < 300, `${status}: ${JSON.stringify(json)}`)
    return json
  }
}

for (const [kind, open] of Object.entries({ embedded: embeddedStore, Redis: redisStore })) {
  describe(`/dead-letters over the ${kind} store`, () => {
    it('lists, groups, shows, replays once and purges, and asks for the token', async () => {
      const { args, data, producer } = await open('all')
      const env = { HTTP_TOKEN: TOKEN, QUEUE_NAME: 'test:all' }
      const file = join(data, 'failing')
      await writeFile(file, '')
      const config = join(data, 'processor.yaml')
      const module = repositoryFile('test/fixtures/handlers/failing-while.mjs')
      const failing = `{ type: test.failing_while, module: ${module}, file: ${file} }`
      await writeFile(config, `max_retries: 0\nhandlers: [{ type: telemetry.analyze }, ${failing}]\n`)
      // So few that the handler is not paused for failing on everything.
      const feed = new TelemetryFeed(producer, 3)
      for (let i = 0; i < 3; i++) await feed.append(10)
      const hostile = randomBytes(500)
      await producer.append([feed.seal(3, hostile, 7)])
      const processor = runProcessor([...args, '--config', config], env)
      const api = new Api(await processor.ready())
      await processor.reaches('all are dead', ({ ledger }) => ledger.deadLettered === feed.samples + 7)

      const { groups, totals } = await api.ok('GET', '/dead-letters/groups')
      const good = groups.find((group: { class: string }) => group.class === 'handler-error')
      assert.equal(totals.entries, good.count + 1)
      assert.match(good.message, /not now, batch of \d+/)

      const seen = new Set<string>()
      let cursor: string | undefined
      do {
        const query = new URLSearchParams({ limit: '7', class: good.class, ...(cursor && { cursor }) })
        const page = await api.ok('GET', `/dead-letters?${query}`)
        for (const { id, fingerprint } of page.letters) {
          assert.equal(fingerprint, good.fingerprint)
          seen.add(id)
        }
        cursor = page.cursor
      } while (cursor !== undefined)
      assert.equal(seen.size, good.count)

      const [id] = seen
      const shown = await api.ok('GET', `/dead-letters/${id}?samples=3`)
      assert.equal(shown.id, id)
      assert.equal(shown.content.kind, 'batch')
      assert.equal(shown.content.first.length, 3)
      assert.match(shown.content.series[0].device, /^device-\d$/)
      const bad = (await api.ok('GET', '/dead-letters?class=unreadable&shard=3')).letters
      assert.equal(bad.length, 1)
      const ofOne = await api.ok('GET', `/dead-letters?device=${shown.content.series[0].device}`)
      assert.ok(ofOne.letters.some((letter: { id: string }) => letter.id === id))
      assert.deepEqual((await api.ok('GET', '/dead-letters?device=unheard-of')).letters, [])
      const unreadable = await api.ok('GET', `/dead-letters/${bad[0].id}?raw=true`)
      assert.equal(unreadable.content.kind, 'unreadable')
      assert.equal(unreadable.content.hex, hostile.toString('hex'))
      assert.equal(unreadable.body, hostile.toString('base64'))
      assert.ok(unreadable.content.reason.length > 5)

      for (const [method, path, body, status, error] of [
        ['GET', '/dead-letters/0-1-1', undefined, 404, /No dead letter/],
        ['GET', '/dead-letters?limit=0&clas=x', undefined, 422, /limit.*clas|clas.*limit/],
        ['GET', '/dead-letters?cursor=nowhere', undefined, 422, /cursor/],
        ['POST', '/dead-letters/replay', {}, 422, /filter.*ids/],
        ['POST', '/dead-letters/replay', '{"filter":', 400, /JSON/],
        ['POST', '/dead-letters/replay', { filter: { gadget: 'x' } }, 422, /gadget/],
        ['POST', '/dead-letters/purge', { filter: {} }, 422, /expect/],
        ['POST', '/dead-letters/purge', { filter: {}, expect: 1 }, 409, /finds \d+ letters, not 1/],
        ['GET', '/dead-letters/jobs/none', undefined, 404, /No replay/],
        ['POST', '/dead-letters/jobs/none/resume', undefined, 404, /No replay/],
      ] as const) {
        const answer = await api.ask(method, path, body)
        assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.json)}`)
        assert.match(answer.json.error, error)
      }
      for (const path of ['/dead-letters/replay', '/dead-letters/purge']) {
        const { status } = await api.ask('POST', path, { filter: {}, expect: good.count + 1 }, 'guessed')
        assert.equal(status, 401)
      }
      assert.equal((await api.ask('DELETE', '/dead-letters?expect=1', undefined, 'guessed')).status, 401)

      const dry = await api.ok('POST', '/dead-letters/replay', { filter: { class: good.class }, dryRun: true })
      assert.deepEqual([dry.found.letters, dry.found.samples], [good.count, feed.samples])
      const wanted = { filter: { class: good.class }, dryRun: 'run' }
      const doomed = (await api.ok('POST', '/dead-letters/replay', wanted)).trial
      assert.deepEqual([doomed.tried, doomed.passed, doomed.failed], [good.count, 0, good.count])
      assert.deepEqual([doomed.failures.length, doomed.failures[0].fingerprint], [1, good.fingerprint])
      await rm(file)
      const { trial } = await api.ok('POST', '/dead-letters/replay', { filter: {}, dryRun: 'run' })
      assert.deepEqual([trial.tried, trial.passed, trial.failed], [good.count + 1, good.count, 1])
      assert.equal(trial.failures[0].fingerprint, bad[0].fingerprint)
      const wish = { filter: { fingerprint: good.fingerprint }, ratePerSecond: 10_000 }
      const job = await api.ok('POST', '/dead-letters/replay', wish)
      await processor.reaches('the replayed are settled', ({ ledger }) => ledger.settled === feed.samples)
      let record = job
      while (record.state === 'running') record = await api.ok('GET', `/dead-letters/jobs/${job.id}`)
      assert.deepEqual([record.state, record.counts.replayed], ['done', good.count])
      for (let device = 0; device < feed.devices; device++) {
        const [{ body }] = await fetchFindings(await processor.ready(), { device: `device-${device}` })
        const expected = momentsOf(feed.valuesOf(device))
        assert.equal(body.count, expected.count)
        assert.ok(Math.abs((body.mean as number) - expected.mean) < 1e-9)
      }

      const purged = await api.ok('DELETE', '/dead-letters?class=unreadable&expect=1')
      assert.equal(purged.purged, 1)
      assert.deepEqual((await api.ok('GET', '/dead-letters')).letters, [])
      const end = await processor.stop()
      assert.equal(imbalanceOf(end.ledger), 0)
      assert.deepEqual([end.backlog.samples, end.backlog.deadLetters], [0, 0])
      await producer.close()
    })
  })
}
