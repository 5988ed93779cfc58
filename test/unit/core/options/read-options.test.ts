import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { z } from 'zod'
import { formatProblem } from '#core/options/config-source'
import { byteSize, durationMs, flag, frequencyHz, integer, list, oneOf, share, text } from '#core/options/fields'
import { readIni } from '#core/options/ini-source'
import { readOverrides } from '#core/options/override-source'
import { readOptions } from '#core/options/read-options'
import { readYaml } from '#core/options/yaml-source'

const schema = z.strictObject({
  redis: z
    .strictObject({
      enabled: flag().default(true),
      host: text(255).default('127.0.0.1'),
      port: integer(1, 65_535).default(6379),
      queue_name: text(128).default('telemetry:tasks'),
      password: text(128).optional(),
      mode: oneOf('stream', 'list').default('stream'),
    })
    .prefault({}),
  batch: z
    .strictObject({ max_wait: durationMs(1, 60_000).default(5), max_bytes: byteSize(100, 1e6).default(8100) })
    .prefault({}),
  devices: z.record(z.string(), z.strictObject({ driver: oneOf('sim', 'line') })).default({}),
  tags: list(text(10)).default([]),
})

describe('readOptions', () => {
  it('takes flags over environment over files over defaults', () => {
    const { options } = readOptions(schema, [
      readOverrides([{ name: 'port', path: ['redis', 'port'] }], { port: '3' }, (name) => `--${name}`),
      readOverrides([{ name: 'REDIS_HOST', path: ['redis', 'host'] }], { REDIS_HOST: 'env', REDIS_PORT: '2' }),
      readYaml('redis:\n  host: file\n  port: 1\n  mode: list\n', 'hub.yaml'),
    ])
    assert.deepEqual(options?.redis, {
      enabled: true,
      host: 'env',
      port: 3,
      queue_name: 'telemetry:tasks',
      mode: 'list',
    })
  })

  it('reports every problem at once with file, line, key, reason and fix', () => {
    const yaml = 'redis:\n  prot: 6379\n  port: 70000\nbatch:\n  max_wait: soon\ndevices:\n  roof:\n    driver: sin\n'
    const { options, problems } = readOptions(schema, [readYaml(yaml, 'hub.yaml')])
    assert.equal(options, undefined)
    assert.deepEqual(problems.map(formatProblem).sort(), [
      'hub.yaml:2 redis.prot: unknown key. Fix: did you mean port?',
      'hub.yaml:3 redis.port: expected a whole number from 1 to 65535, got 70000. Fix: write a value of that kind',
      'hub.yaml:5 batch.max_wait: expected a duration from 1 ms to 60000 ms, such as 250ms, 2s or 24h, got "soon". Fix: write a value of that kind',
      'hub.yaml:8 devices.roof.driver: expected one of sim, line, got "sin". Fix: write a value of that kind',
    ])
  })

  it('warns of unknown INI keys, as files of the original have them, and goes on', () => {
    const ini = '[redis]\nenabled = yes\nshoe_size = 43 # whose?\n[colours]\nred = 1\n'
    const { options, problems } = readOptions(schema, [readIni(ini, 'config.ini')])
    assert.equal(options?.redis.enabled, true)
    assert.deepEqual(
      problems.map(({ severity, origin, key }) => [severity, origin, key]),
      [
        ['warning', 'config.ini:4', 'colours'],
        ['warning', 'config.ini:3', 'redis.shoe_size'],
      ].sort(),
    )
  })

  it('never shows the value of a secret', () => {
    const { problems } = readOptions(schema, [readYaml(`redis: { password: [hunter2] }`, 'hub.yaml')])
    assert.equal(problems.length, 1)
    assert.doesNotMatch(JSON.stringify(problems), /hunter2/)
  })

  it('says the line of a YAML syntax error', () => {
    const { problems } = readOptions(schema, [readYaml('redis:\n  port: 1\n  port: 2\n', 'hub.yaml')])
    assert.equal(problems[0]?.origin, 'hub.yaml:3')
  })

  it('survives keys that would change prototypes', () => {
    const { problems } = readOptions(schema, [readIni('[__proto__]\nport = 1\n', 'config.ini')])
    assert.equal(({} as Record<string, unknown>).port, undefined)
    assert.ok(problems.every(({ severity }) => severity === 'warning'))
  })
})

describe('readIni', () => {
  it("reads the seed's grammar: comments anywhere, colons in values, section-less keys by alias", () => {
    const ini = [
      '; a comment',
      'Sampling_Interval_MS = 250',
      '[Redis]',
      'queue_name = telemetry:tasks  # the queue',
      'password = "a # b"',
      "host = it's-here ; apostrophe",
      '',
    ].join('\r\n')
    const source = readIni(ini, 'config.ini', { sampling_interval_ms: ['gateway', 'sampling_interval_ms'] })
    assert.deepEqual(source.values, {
      gateway: { sampling_interval_ms: '250' },
      redis: { queue_name: 'telemetry:tasks', password: 'a # b', host: "it's-here" },
    })
    assert.equal(source.originOf(['redis', 'password']), 'config.ini:5')
  })

  it('knows sections by their other names', () => {
    const source = readIni(
      '[Device.roof]\ndriver = sim\n[devices.cellar]\ndriver = line\n',
      'hub.ini',
      {},
      { device: 'devices' },
    )
    assert.deepEqual(source.values, { devices: { roof: { driver: 'sim' }, cellar: { driver: 'line' } } })
    assert.equal(source.originOf(['devices', 'roof', 'driver']), 'hub.ini:2')
  })

  it('names the line that is neither section nor key', () => {
    const { problems } = readIni('[redis]\nport 6379\n', 'config.ini')
    assert.equal(problems[0]?.origin, 'config.ini:2')
  })
})

describe('fields', () => {
  it('read units and refuse what they cannot read exactly', () => {
    assert.equal(durationMs(0, 1e9).parse('1.5h'), 5_400_000)
    assert.equal(byteSize(0, 1e9).parse('64KiB'), 65_536)
    assert.equal(frequencyHz(1, 1e9).parse('400kHz'), 400_000)
    assert.equal(frequencyHz(1, 1e9).parse('1.5 MHz'), 1_500_000)
    assert.equal(frequencyHz(1, 1e9).parse(50), 50)
    assert.equal(share(0, 1).parse('70%'), 0.7)
    assert.equal(share(0, 1).parse(0.25), 0.25)
    assert.equal(flag().parse('ON'), true)
    assert.equal(integer(0, 300).parse('0x76'), 0x76)
    for (const bad of ['', '70', '120%', '-5%', '7 %%', undefined]) {
      assert.equal(share(0, 1).safeParse(bad).success, false, String(bad))
    }
    for (const bad of ['', '400kBd', '2GHz', '-1Hz', undefined]) {
      assert.equal(frequencyHz(1, 1e9).safeParse(bad).success, false, String(bad))
    }
    for (const bad of ['', ' ', '1e', 'NaN', 'Infinity', '12 parsecs', undefined, {}, []]) {
      assert.equal(integer(0, 300).safeParse(bad).success, false, String(bad))
      assert.equal(durationMs(0, 300).safeParse(bad).success, false, String(bad))
    }
  })
})
