import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { parseBatchId } from '#core/model/batch'
import type { LeasedEntry } from '#core/transport/batch-stream'
import * as redisStore from '#core/transport/redis/redis-stream'
import * as embeddedStore from '#src/embedded/embedded-stream'
import { owned } from '#test/conformance/batch-stream-fixture'
import { die, leaseOne } from '#test/conformance/dead-letters/dead-letter-fixture'
import { startRedis } from '#test/support/redis-server'
import { repositoryFile } from '#test/support/repository'
import { TelemetryFeed } from '#test/support/telemetry-feed'
import { temporaryDirectory } from '#test/support/temporary-directory'

const SHARDS = 2
const root = await temporaryDirectory('dead-letters-command')
const redis = await startRedis()
after(() => redis.stop())

interface Ran {
  code: number
  out: string
  err: string
}

class Command {
  readonly child: ChildProcess
  #out = ''
  #err = ''

  constructor(args: readonly string[], env: Readonly<Record<string, string>>) {
    const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
    this.child = spawn(process.execPath, [repositoryFile('dist/processor.js'), ...args], { env: { ...base, ...env } })
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#out += text
    })
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#err += text
    })
  }

  async ended(): Promise<Ran> {
    const [code] = await once(this.child, 'close')
    return { code: code as number, out: this.#out, err: this.#err }
  }
}

interface Case {
  module: typeof redisStore | typeof embeddedStore
  options: object
  env: Record<string, string>
}

const CASES: Record<string, () => Case> = {
  Redis: () => {
    const queueName = `test:${randomUUID()}`
    const options = { host: '127.0.0.1', port: redis.port, queueName, shards: SHARDS }
    const data = join(root, randomUUID())
    const env = { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), QUEUE_NAME: queueName, TELEMETRY_DATA: data }
    return { module: redisStore, options, env: { ...env, TELEMETRY_SHARDS: String(SHARDS) } }
  },
  'the embedded store': () => {
    const directory = join(root, randomUUID())
    const env = { TELEMETRY_DATA: directory, TELEMETRY_SHARDS: String(SHARDS) }
    return { module: embeddedStore, options: { directory, shards: SHARDS }, env }
  },
}

/** Four batches that died on each shard, two of them unreadable; nobody owns the shards afterwards. */
async function bury({ module, options }: Case): Promise<string[]> {
  const producer = await module.openBatchProducer(options)
  const stream = await module.openBatchStream(options, 'owner-of-the-test')
  const feed = new TelemetryFeed(producer, 8)
  await feed.append(3)
  await feed.append(3)
  for (const shard of [0, 1]) {
    await producer.append([feed.seal(shard, randomBytes(40), 7), feed.seal(shard, Uint8Array.of(1, 2, 3), 7)])
  }
  const died: LeasedEntry[] = []
  for (const number of [0, 1]) {
    const shard = owned(await stream.own(number, 60_000))
    for (let i = 0; i < 4; i++) {
      const entry = await leaseOne(shard)
      const isBad = entry.body.byteLength <= 40
      await die(shard, entry, isBad ? 'TLM_BATCH_UNREADABLE' : 'TLM_HANDLER_FAILED', `row ${i} is \x1b[31mwrong`)
      died.push(entry)
    }
    await shard.release()
  }
  await stream.close()
  await producer.close()
  return died.map(({ correlationId }) => correlationId)
}

for (const [name, make] of Object.entries(CASES)) {
  describe(`node dist/processor.js dead-letters and explain, over ${name}`, () => {
    it('lists, groups, shows, explains, replays, aborts, resumes and purges', async () => {
      const one = make()
      const correlationIds = await bury(one)
      const run = (...args: string[]) => new Command(args, one.env).ended()
      const json = async (...args: string[]) => {
        const { code, out, err } = await run(...args, '--json')
        assert.equal(code, 0, err)
        return JSON.parse(out)
      }

      const listed = await run('dead-letters', 'list')
      assert.equal(listed.code, 0, listed.err)
      const lines = listed.out.trimEnd().split('\n')
      assert.match(lines[0], /^ID +DIED +CLASS +TRIES +REPLAYS +SAMPLES +SIZE +BATCH +MESSAGE$/)
      assert.equal(lines.length, 9)
      assert.ok(!listed.out.includes('\x1b'))
      const { letters } = await json('dead-letters', 'list', '--class', 'TLM_HANDLER_FAILED', '--oldest-first')
      assert.equal(letters.length, 4)
      const page = await json('dead-letters', 'list', '--limit', '3')
      const rest = await json('dead-letters', 'list', '--cursor', page.cursor)
      assert.equal(new Set([...page.letters, ...rest.letters].map(({ id }: { id: string }) => id)).size, 8)

      const ofDevice = await json('dead-letters', 'list', '--device', 'device-0')
      assert.ok(ofDevice.letters.length > 0 && ofDevice.letters.length < 4)
      const tried = await run('dead-letters', 'replay', '--all', '--try')
      assert.match(
        tried.out,
        /^Would replay:[\s\S]*Tried 8 letters: 4 pass, 0 in part, 4 fail\.\n.*\n +\d+ .*unreadable/,
      )
      const { groups } = await json('dead-letters', 'groups')
      assert.deepEqual(
        groups.map(({ count }: { count: number }) => count),
        [4, 4],
      )
      assert.match((await run('dead-letters', 'groups')).out, /^COUNT +FINGERPRINT[\s\S]*8 letters, [\d.]+ \w+;/)

      const shown = await run('dead-letters', 'show', letters[0].id)
      for (const part of [
        /^batch +feed\.1\.\d\.1$/m,
        /owner-of-the-test/,
        /^SERIES +UNIT +SAMPLES$/m,
        /device-\d\/temperature/,
      ]) {
        assert.match(shown.out, part)
      }
      const [bad] = (await json('dead-letters', 'list', '--class', 'TLM_BATCH_UNREADABLE', '--limit', '1')).letters
      assert.match((await run('dead-letters', 'show', bad.id)).out, /^Unreadable: .*\n\n00000000: [0-9a-f]{4}/m)

      const explained = await run('explain', letters[0].id)
      assert.match(explained.out, /^state +dead: /m)
      assert.match(explained.out, /Findings could not be read: .* does not exist yet/)
      assert.equal((await json('explain', letters[0].correlationId)).trace.places[0].letter.id, letters[0].id)

      const dry = await json('dead-letters', 'replay', '--class', 'TLM_HANDLER_FAILED', '--dry-run')
      assert.equal(dry.found.letters, 4)
      const slow = new Command(['dead-letters', 'replay', '--all', '--rate', '0.5'], one.env)
      const box = await one.module.openDeadLetterBox(one.options)
      while ((await box.totals()).replayed === 0);
      slow.child.kill('SIGINT')
      const interrupted = await slow.ended()
      assert.equal(interrupted.code, 1)
      assert.match(interrupted.out, /aborted: \d letters? replayed/)
      const { jobs } = await json('dead-letters', 'jobs')
      assert.match(interrupted.err, new RegExp(`resume ${jobs[0].id}`))
      const before = (await json('dead-letters', 'groups')).totals.entries
      assert.ok(before > 0 && before < 8)
      const [id] = (await json('dead-letters', 'list', '--limit', '1')).letters.map(
        (letter: { id: string }) => letter.id,
      )
      assert.equal((await run('dead-letters', 'replay', id)).out, `${id}  replayed\n`)
      assert.equal((await run('dead-letters', 'replay', id)).code, 1)

      const refused = await run('dead-letters', 'purge', '--all')
      assert.equal(refused.code, 2)
      assert.match(refused.err, new RegExp(`--expect ${before - 1}\n`))
      assert.equal((await run('dead-letters', 'purge', '--all', '--expect', '99')).code, 1)
      const purged = await run('dead-letters', 'purge', '--all', '--expect', String(before - 1))
      assert.deepEqual([purged.code, purged.out], [0, `Purged ${before - 1} letter${before === 2 ? '' : 's'}.\n`])
      assert.equal((await run('dead-letters', 'list')).out, 'No dead letters.\n')

      const tracer = await one.module.openBatchTracer(one.options)
      const traces = await Promise.all(correlationIds.map((batch) => tracer.trace(parseBatchId(batch)!)))
      assert.equal(traces.filter(({ places }) => places[0]?.kind === 'waiting').length, 8 - (before - 1))
      assert.equal(traces.filter(({ places }) => places.length === 0).length, before - 1)
      assert.equal((await run('explain', 'feed.1.0.99')).code, 1)
      await Promise.all([box.close(), tracer.close()])
    })
  })
}

describe('node dist/processor.js with a subcommand', () => {
  it('says what is wrong with the command line, exits with 2 and makes nothing', async () => {
    const directory = join(root, 'none')
    const run = (...args: string[]) => new Command(args, { TELEMETRY_DATA: directory }).ended()
    for (const [args, message] of [
      [['dead-letters'], /^node dist\/processor\.js dead-letters ACTION/],
      [['dead-letters', 'lsit'], /Did you mean list\?/],
      [['dead-letters', 'list', '--clas', 'x'], /Did you mean --class\?/],
      [['dead-letters', 'list', '--shard', '64'], /shard: expected a whole number from 0 to 63/],
      [['dead-letters', 'list'], /There is no store in .*none/],
      [['explain'], /^node dist\/processor\.js explain ID/],
      [['explain', 'what'], /There is no store|neither a correlation id/],
    ] as [string[], RegExp][]) {
      const { code, err, out } = await run(...args)
      assert.deepEqual([code, out], [2, ''], args.join(' '))
      assert.match(err, message)
    }
    assert.equal(existsSync(directory), false)
    for (const name of ['dead-letters', 'explain']) {
      const { code, out } = await run(name, '--help')
      assert.equal(code, 0)
      assert.match(out, /Exit code/)
    }
  })

  it('exits with 1 when the store cannot be reached', async () => {
    const { code, err } = await new Command(['dead-letters', 'list', '--redis', 'redis://127.0.0.1:1'], {}).ended()
    assert.equal(code, 1)
    assert.match(err, /Redis at 127\.0\.0\.1:1/)
  })
})
