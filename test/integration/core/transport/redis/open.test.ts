import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import { parseBatchId } from '#core/model/batch'
import { openListPublisher } from '#core/transport/redis/list-publisher'
import type { RedisStreamOptions } from '#core/transport/redis/redis-options'
import {
  openBatchProducer,
  openBatchStream,
  openBatchTracer,
  openDeadLetterBox,
  openPressureSignal,
  openTaskInbox,
} from '#core/transport/redis/redis-stream'
import { batch, leaseAll, owned, seqs, store } from '#test/conformance/batch-stream-fixture'
import { freePort, startRedis, type TestRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'

const run = promisify(execFile)
const SECRET = 'correct-horse-battery'

type Open = (options: RedisStreamOptions) => Promise<{ close(): Promise<void> }>
const OPENERS: Readonly<Record<string, Open>> = {
  producer: openBatchProducer,
  stream: (options) => openBatchStream(options, 'holder'),
  inbox: (options) => openTaskInbox(options, 'holder'),
  'list publisher': openListPublisher,
}

describe('opening Redis', () => {
  let redis: TestRedis
  before(async () => {
    redis = await startRedis(['--requirepass', SECRET])
  })
  after(() => redis.stop())
  const keep = keepUntilEnd()

  async function refuses(options: RedisStreamOptions, code: string, message: RegExp): Promise<void> {
    for (const [name, open] of Object.entries(OPENERS)) {
      await assert.rejects(open(options), (error: Error & { code: string }) => {
        assert.equal(error.code, code, `${name}: ${error.message}`)
        assert.match(error.message, message, name)
        for (const text of [error.message, error.stack, JSON.stringify(error), String(error.cause)]) {
          assert.ok(!text?.includes(options.password ?? SECRET), `${name} shows the password`)
        }
        return true
      })
    }
  }

  it('is unavailable while nobody listens', async () => {
    await refuses(queueAt(await freePort()), 'TLM_STREAM_UNAVAILABLE', /ECONNREFUSED.*Fix: start it/)
  })

  it('is misconfigured with a wrong password, or none, and never shows it', async () => {
    const wrong = queueAt(redis.port, { password: 'wrong-one' })
    await refuses(wrong, 'TLM_STREAM_MISCONFIGURED', /WRONGPASS.*Fix: correct redis.username and redis.password/)
    await refuses(queueAt(redis.port), 'TLM_STREAM_MISCONFIGURED', /NOAUTH.*Fix: set redis.password/)
    const right = queueAt(redis.port, { password: SECRET })
    for (const open of Object.values(OPENERS)) await keep(open(right))
  })

  it('is misconfigured with a database that does not exist, instead of using another one', async () => {
    await refuses(queueAt(redis.port, { password: SECRET, db: 99 }), 'TLM_STREAM_MISCONFIGURED', /DB index/)
  })

  it('is misconfigured where Redis may evict batches, and says which command mends it', async () => {
    const evicting = await keep(startRedis(['--maxmemory-policy', 'allkeys-lru']))
    const options = queueAt(evicting.port)
    await refuses(options, 'TLM_STREAM_MISCONFIGURED', /allkeys-lru.*CONFIG SET maxmemory-policy noeviction/)
    const admin = await keep(adminOf(evicting.port))
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    for (const open of Object.values(OPENERS)) await keep(open(options))
  })

  it('goes on where the user may not ask for the settings, and works with only the documented rights', async () => {
    const server = await keep(startRedis())
    const admin = await keep(adminOf(server.port))
    const options = queueAt(server.port, { username: 'hub', password: SECRET })
    const keys = [`~${options.queueName}`, `~{${options.queueName}}*`, `~{${options.queueName}:*`, '~test:dlq']
    const commands = ['evalsha', 'eval', 'script|load', 'xreadgroup', 'hgetall', 'hmget', 'hsetnx', 'zrem', 'select']
    const inLua = ['time', 'type', 'exists', 'hget', 'hset', 'hdel', 'hlen', 'hkeys', 'hincrby', 'xadd', 'xack', 'xdel']
    const more = ['xlen', 'xrange', 'xpending', 'xinfo', 'xgroup', 'zadd', 'zrange', 'zrangebyscore', 'zrem', 'zcard']
    const inbox = ['zremrangebyscore', 'llen', 'lpop', 'rpush', 'blmove', 'client|setname']
    const pressure = ['get', 'set']
    const deadLetters = ['xrevrange', 'hscan', 'zscore']
    const extra = [...pressure, ...deadLetters]
    const rights = [...commands, ...inLua, ...more, ...inbox, ...extra].map((command) => `+${command}`)
    await admin.acl('SETUSER', 'hub', 'on', `>${SECRET}`, ...keys, ...rights)
    const producer = await keep(openBatchProducer(options))
    const stream = await keep(openBatchStream(options, 'holder'))
    await store(producer, [batch(1), batch(2)])
    const shard = owned(await stream.own(0, 60_000))
    const entries = await leaseAll(shard)
    assert.deepEqual(seqs(entries), [1, 2])
    const dead = { id: entries[1].id, priority: entries[1].priority, class: 'test', message: '' }
    await shard.settle({ ack: [entries[0].id], retry: [], deadLetter: [dead], state: new Map() })
    const box = await keep(openDeadLetterBox(options))
    const page = { filter: {}, order: 'newest-first', limit: 10 } as const
    const [{ id, correlationId }] = (await box.page(page)).letters
    assert.equal((await box.page({ ...page, filter: { class: 'test' } })).letters.length, 1)
    assert.equal((await box.get(id))?.letter.id, id)
    assert.equal((await box.groups(10)).length, 1)
    await box.writeNote('note', 'text')
    await box.readNotes()
    const tracer = await keep(openBatchTracer(options))
    assert.equal((await tracer.trace(parseBatchId(correlationId)!)).places[0].kind, 'dead')
    assert.deepEqual(await box.replay([id], 3), ['replayed'])
    await box.purge([id])
    await box.trim()
    await box.totals()
    await stream.beat(1000)
    await stream.depths()
    const signal = await keep(openPressureSignal(options))
    await signal.write('amber', 1000)
    assert.equal(await signal.read(), 'amber')
    await shard.release()
    await admin.acl('SETUSER', 'hub', '-xadd')
    const [outcome] = await producer.append([batch(3)])
    assert.equal(outcome.kind === 'refused' && outcome.reason, 'misconfigured')
  })

  it('names every option that is wrong, and no value', async () => {
    const wrong = { host: '', port: 0, queueName: 'a{b}', shards: 65, password: '', commandTimeoutMs: 0 }
    await assert.rejects(openBatchProducer(wrong), (error: Error & { code: string }) => {
      assert.equal(error.code, 'TLM_OPTIONS_INVALID')
      for (const field of Object.keys(wrong)) assert.match(error.message, new RegExp(`${field}: `))
      return true
    })
  })

  it('speaks TLS, to a server whose certificate it trusts', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-tls-'))
    const [key, cert] = ['key.pem', 'cert.pem'].map((name) => join(directory, name))
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject])
    const port = await freePort()
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
    await keep(startRedis(['--tls-port', String(port), '--tls-auth-clients', 'no', ...files]))
    const options = queueAt(port, { tls: true })
    await refuses(options, 'TLM_STREAM_MISCONFIGURED', /self.signed.*Fix: check redis.tls.*NODE_EXTRA_CA_CERTS/i)
    // Node reads the variable at its start only.
    const module = import.meta.resolve('#core/transport/redis/redis-stream')
    const script = `
      const { openBatchProducer } = await import(${JSON.stringify(module)})
      const producer = await openBatchProducer(${JSON.stringify(options)})
      const batch = ${JSON.stringify({ ...batch(1), body: undefined })}
      console.log(JSON.stringify(await producer.append([{ ...batch, body: new Uint8Array(9) }])))
      await producer.close()`
    const env = { ...process.env, NODE_EXTRA_CA_CERTS: cert }
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], { env })
    assert.deepEqual(JSON.parse(stdout), [{ kind: 'stored' }])
    const plain = queueAt(redis.port, { tls: true, commandTimeoutMs: 300 })
    await refuses(plain, 'TLM_STREAM_UNAVAILABLE', /Fix: .*check host, port and tls/)
    await rm(directory, { recursive: true })
  })
})
