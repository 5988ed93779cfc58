import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import pino from 'pino'
import { examineRedis } from '#core/transport/redis/doctor/redis-doctor'
import type { Role } from '#core/transport/redis/doctor/rights'
import { openBatchProducer, openBatchStream } from '#core/transport/redis/redis-stream'
import { StoreDoctor } from '#src/host/store-doctor'
import { until } from '#test/conformance/batch-stream-fixture'
import { startCluster } from '#test/support/redis-cluster'
import { freePort, startRedis } from '#test/support/redis-server'
import { adminOf, keepUntilEnd, queueAt } from '#test/support/redis-store'
import { repositoryFile } from '#test/support/repository'

const run = promisify(execFile)
const ROLES = ['producer', 'stream', 'inbox'] as const

describe('the doctor of the store', () => {
  const keep = keepUntilEnd()
  const verdicts = async (options: unknown, roles: readonly Role[] = ROLES) =>
    Object.fromEntries((await examineRedis(options, roles)).map(({ check, verdict }) => [check, verdict]))

  it('finds nothing wrong with a Redis of the documented settings, and changes nothing', async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port)
    const found = await examineRedis(options, ROLES)
    assert.deepEqual(
      found.filter(({ verdict }) => verdict !== 'ok'),
      [],
    )
    const checks = ['capabilities', 'clock', 'eviction', 'memory', 'persistence', 'queue', 'rights', 'version']
    assert.deepEqual(found.map(({ check }) => check).sort(), checks)
    assert.match(found.find(({ check }) => check === 'capabilities')!.message, /Redis 7\.|Redis 8\.|Valkey/)
    const admin = await keep(adminOf(redis.port))
    assert.equal(await admin.dbsize(), 0)
  })

  it('warns of a plain Redis without limit and append-only file, which works all the same', async () => {
    const redis = await keep(startRedis(['--appendonly', 'no', '--maxmemory', '0']))
    const options = queueAt(redis.port)
    const { memory, persistence, ...rest } = await verdicts(options)
    assert.deepEqual([memory, persistence], ['warn', 'warn'])
    assert.deepEqual(new Set(Object.values(rest)), new Set(['ok']))
    assert.equal((await verdicts({ ...options, ephemeral: true })).persistence, 'ok')
    await keep(openBatchProducer(options))
  })

  it('refuses another number of shards, and says which it is', async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { shards: 4 })
    await keep(openBatchProducer(options))
    const found = await examineRedis({ ...options, shards: 8 }, ROLES)
    const queue = found.find(({ check }) => check === 'queue')!
    assert.equal(queue.verdict, 'refuse')
    assert.match(queue.message, /made with 4 shards, this program has 8\. Fix: set shards to 4/)
  })

  it('names each command that the user may not use, as do those who open the store', async () => {
    const redis = await keep(startRedis())
    const admin = await keep(adminOf(redis.port))
    await admin.acl('SETUSER', 'hub', 'on', '>x', '~*', '+@all', '-xreadgroup', '-xgroup|destroy')
    const options = queueAt(redis.port, { username: 'hub', password: 'x' })
    const rights = (await examineRedis(options, ROLES)).find(({ check }) => check === 'rights')!
    assert.equal(rights.verdict, 'refuse')
    const grant = /may not use XGROUP DESTROY, XREADGROUP\. Fix: .*\+xgroup\|destroy \+xreadgroup/
    assert.match(rights.message, grant)
    await assert.rejects(openBatchStream(options, 'holder'), { code: 'TLM_STREAM_MISCONFIGURED', message: grant })
    await keep(openBatchProducer(options))
    assert.equal((await verdicts(options, ['producer'])).rights, 'ok', 'a hub reads nothing')
    await admin.acl('SETUSER', 'hub', '-eval', '-evalsha')
    assert.equal((await verdicts(options, [])).rights, undefined, 'a hub in list mode only pushes')
    await admin.acl('SETUSER', 'hub', '+@all', 'resetkeys', '~other:*')
    await assert.rejects(openBatchProducer(options), { code: 'TLM_STREAM_MISCONFIGURED' })
  })

  it('asks for replicas where they have to confirm', async () => {
    const redis = await keep(startRedis())
    const options = queueAt(redis.port, { replication: { replicas: 1, timeoutMs: 100 } })
    const replicas = (await examineRedis(options, ROLES)).find(({ check }) => check === 'replicas')!
    assert.equal(replicas.verdict, 'warn')
  })

  it('examines every master of a cluster', async () => {
    const cluster = await keep(startCluster(3))
    await cluster.nodes[2].admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const found = await examineRedis(queueAt(cluster.nodes[0].port), ROLES)
    assert.deepEqual(
      found.filter(({ verdict }) => verdict === 'refuse').map(({ where, check }) => [where, check]),
      [[`Redis at 127.0.0.1:${cluster.nodes[2].port}`, 'eviction']],
    )
    assert.equal(found.filter(({ check }) => check === 'version').length, 3)
  })

  it('raises the alarm when the eviction policy is changed at run time, and withdraws it (scenario 20)', async () => {
    const redis = await keep(startRedis())
    const admin = await keep(adminOf(redis.port))
    const { shards, ...connection } = queueAt(redis.port)
    const out = new PassThrough()
    const lines: { level: number; msg: string }[] = []
    out.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) lines.push(JSON.parse(line))
    })
    const doctor = new StoreDoctor({ kind: 'redis', shards, redis: connection }, ROLES, pino(out), 20)
    doctor.start()
    await doctor.look()
    assert.equal(doctor.problem, undefined)
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    await until('the alarm', async () => doctor.problem)
    assert.match(doctor.problem!, /allkeys-lru.*Fix: redis-cli CONFIG SET maxmemory-policy noeviction/)
    for (let looks = 0; looks < 5; looks++) await doctor.look()
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    await until('the all-clear', async () => doctor.problem === undefined)
    doctor.stop()
    const alarms = lines.filter(({ level }) => level === 50)
    assert.equal(alarms.length, 1, 'told once, however often it is seen')
    assert.match(lines.at(-1)!.msg, /maxmemory-policy is noeviction/)
    // Nothing of the queue can be evicted as long as no key expires.
    await keep(openBatchProducer({ ...connection, shards }))
    assert.doesNotMatch(await admin.info('keyspace'), /expires=[1-9]/)
  })

  it('is a subcommand of both programs, whose exit code says whether to go on', async () => {
    const redis = await keep(startRedis())
    const admin = await keep(adminOf(redis.port))
    const url = `redis://127.0.0.1:${redis.port}`
    for (const program of ['hub.js', 'processor.js']) {
      const { stdout } = await run(process.execPath, [repositoryFile(`dist/${program}`), 'doctor', '--redis', url])
      assert.match(stdout, /^ok +version .*Redis/m)
    }
    await admin.config('SET', 'maxmemory-policy', 'allkeys-lru')
    const doctor = run(process.execPath, [repositoryFile('dist/hub.js'), 'doctor', '--redis', url])
    const refused = await doctor.then(
      () => assert.fail('it should have refused'),
      (error: { code: number; stdout: string }) => error,
    )
    assert.equal(refused.code, 78)
    assert.match(refused.stdout, /^refuse +eviction .*noeviction/m)
    const nobody = `redis://127.0.0.1:${await freePort()}`
    await assert.rejects(run(process.execPath, [repositoryFile('dist/hub.js'), 'doctor', '--redis', nobody]), {
      stdout: /^refuse +reach .*ECONNREFUSED/,
    })
  })
})
