import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { TelemetryError } from '#core/errors/telemetry-error'
import { type HubOptions, readHubOptions } from '#src/hub/config/hub-options'
import { repositoryFile } from '#test/support/repository'

const directory = mkdtempSync(join(tmpdir(), 'telemetryhub-config-'))
after(() => rmSync(directory, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

async function optionsOf(argv: string[], env: Record<string, string> = {}): Promise<HubOptions> {
  const command = await readHubOptions(argv, env)
  assert.equal(command.kind, 'run')
  return (command as { options: HubOptions }).options
}

async function problemsOf(argv: string[], env: Record<string, string> = {}): Promise<string> {
  try {
    await readHubOptions(argv, env)
  } catch (error) {
    assert.ok(error instanceof TelemetryError)
    assert.equal(error.code, 'TLM_OPTIONS_INVALID')
    return error.message
  }
  throw new assert.AssertionError({ message: 'The options were taken.' })
}

describe("the hub's options", () => {
  it('simulate one device over the embedded store when nothing is said', async () => {
    const options = await optionsOf([])
    assert.equal(options.store.kind, 'embedded')
    assert.deepEqual(Object.keys(options.devices), ['sim'])
    assert.deepEqual(options.http, { host: '127.0.0.1', port: 8080 })
  })

  it("read the seed's sample file with its inline comments", async () => {
    const ini = [
      '[redis]',
      'enabled = true',
      'host = 127.0.0.1',
      'port = 6379',
      'queue_name = telemetry:tasks',
      '',
      '[gateway]',
      'sampling_interval_ms = 250',
      'local_storage = true',
      'redis_publish = true  # Enable dual mode',
    ].join('\n')
    const options = await optionsOf(['--config', file('config.ini', ini)])
    assert.equal(options.store.kind, 'redis')
    assert.ok(options.store.kind === 'redis' && options.store.redis.queueName === 'telemetry:tasks')
    assert.equal(options.devices.sim?.driver.manifest.name, 'sim')
    assert.equal(options.everyMs, 250)
  })

  it("read the original's section-less keys; queue_size becomes the ring, a power of two", async () => {
    const options = await optionsOf(['--config', file('old.ini', 'Queue_Size = 1000\nlog_level = debug ; x\n')])
    assert.equal(options.ring.slots, 1024)
    assert.equal(options.log.level, 'debug')
  })

  it('let flags win over the environment and the environment over the file', async () => {
    const path = file('hub.yaml', 'redis: { host: from-file, port: 1 }\nlog: { level: warn }\n')
    const options = await optionsOf(['--config', path, '--log-level', 'trace'], {
      REDIS_HOST: 'from-env',
      LOG_LEVEL: 'error',
    })
    assert.ok(options.store.kind === 'redis')
    assert.equal(options.store.redis.host, 'from-env')
    assert.equal(options.store.redis.port, 1)
    assert.equal(options.log.level, 'trace')
  })

  it('take a Redis URL with user, password and database', async () => {
    const options = await optionsOf(['--redis', 'rediss://ann:p%40ss@redis.example:7000/3'])
    assert.ok(options.store.kind === 'redis')
    const { host, port, username, password, db, tls } = options.store.redis
    assert.deepEqual([host, port, username, password, db, tls], ['redis.example', 7000, 'ann', 'p@ss', 3, true])
  })

  it('take the nodes of a cluster, or sentinels with the name of the primary', async () => {
    const cluster = await optionsOf([], { REDIS_CLUSTER: 'a.example:7000, [::1]:7001' })
    assert.ok(cluster.store.kind === 'redis')
    assert.deepEqual(cluster.store.redis.cluster, [
      { host: 'a.example', port: 7000 },
      { host: '::1', port: 7001 },
    ])
    const yaml =
      'redis:\n  sentinels: ["a:26379", "b:26379"]\n  sentinel_name: mymaster\n  durability: replicated\n  replicas: 2\n'
    const { store } = await optionsOf(['--config', file('sentinels.yaml', yaml)])
    assert.ok(store.kind === 'redis')
    assert.deepEqual(store.redis.sentinels?.length, 2)
    assert.equal(store.redis.sentinelName, 'mymaster')
    assert.deepEqual(store.redis.replication, { replicas: 2, timeoutMs: 1000 })
    assert.match(await problemsOf([], { REDIS_CLUSTER: 'nonsense' }), /redis\.cluster.*expected an address such as/)
    assert.match(await problemsOf([], { REDIS_SENTINELS: 'a:1' }), /redis\.sentinel_name is missing\. Fix/)
    assert.match(
      await problemsOf([], { REDIS_SENTINELS: 'a:1', REDIS_CLUSTER: 'a:1' }),
      /redis\.sentinels and redis\.cluster .*Fix/,
    )
  })

  it('give classes that are spilled apart rings of their own, where there is a spool', async () => {
    const path = file('spill.yaml', 'backpressure: { amber: { low: thin }, red: { normal: spill, low: refuse } }\n')
    const withSpool = await optionsOf(['--config', path, '--redis', 'redis://127.0.0.1'])
    assert.deepEqual(withSpool.ring.classes, [['high', 'low'], ['normal']])
    assert.equal(withSpool.backpressure.red.normal, 'spill')
    assert.deepEqual(withSpool.notes, [])
    const without = await optionsOf(['--config', path])
    assert.deepEqual(without.ring.classes, [['high', 'normal', 'low']])
    assert.match(without.notes.join(), /spill needs the spool/)
  })

  it('name file, line, key, reason and remedy of every mistake, all at once', async () => {
    const yaml =
      'redis:\n  prot: 1\ndevices:\n  roof:\n    driver: sim\n    interval_ms: -1\n  b: { driver: lime, path: x }\n'
    const path = file('bad.yaml', yaml)
    const lines = (await problemsOf(['--config', path])).split('\n')
    assert.equal(lines.length, 3)
    assert.match(lines.join('\n'), /bad\.yaml:2 redis\.prot: unknown key\. Fix: did you mean port\?/)
    assert.match(lines.join('\n'), /bad\.yaml:6 devices\.roof\.interval_ms: expected a duration/)
    assert.match(
      lines.join('\n'),
      /bad\.yaml:7 devices\.b\.driver: expected one of [a-z0-9, -]+ \(did you mean line\?\), got "lime"/,
    )
  })

  it('name the variable or the flag that is wrong', async () => {
    assert.match(
      await problemsOf([], { REDIS_PORT: 'abc' }),
      /environment variable REDIS_PORT redis\.port: .*got "abc"/,
    )
    assert.match(await problemsOf(['--port', '70000']), /--port http\.port: expected a whole number from 0 to 65535/)
    assert.match(await problemsOf(['--prot', '1']), /Did you mean --port\?/)
    assert.match(await problemsOf(['--config', join(directory, 'none.yaml')]), /there is no such file/)
  })

  it('refuse to be reachable by others without a token', async () => {
    assert.match(await problemsOf(['--host', '0.0.0.0']), /set http\.token/)
    assert.equal((await optionsOf(['--host', '0.0.0.0'], { HTTP_TOKEN: 'secret' })).http.token, 'secret')
  })

  it('are complete in the file of the demonstration', async () => {
    const options = await optionsOf(['--config', repositoryFile('deploy/demo.yaml')])
    assert.deepEqual(Object.keys(options.devices), ['roof', 'cellar', 'boiler', 'room'])
  })

  it('print help and version', async () => {
    const help = await readHubOptions(['--help'], {})
    assert.ok(help.kind === 'print' && help.text.includes('--config FILE') && help.text.includes('REDIS_HOST'))
    const version = await readHubOptions(['-v'], {})
    assert.ok(version.kind === 'print' && /^TelemetryHub \d+\.\d+\.\d+$/.test(version.text))
  })
})
