import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { messageOf } from '#core/errors/telemetry-error'
import { unknownChannel } from '#src/hub/channels/channel-settings'
import { readHubOptions } from '#src/hub/config/hub-options'

const directory = mkdtempSync(join(tmpdir(), 'telemetryhub-channels-'))
after(() => rmSync(directory, { recursive: true }))

async function deviceOf(name: string, text: string) {
  const path = join(directory, name)
  writeFileSync(path, text)
  const command = await readHubOptions(['--config', path], {})
  assert.equal(command.kind, 'run')
  return (command as Extract<typeof command, { kind: 'run' }>).options.devices.roof
}

async function problemOf(channel: string): Promise<string> {
  const yaml = `devices:\n  roof:\n    driver: line\n    path: /dev/null\n    channels:\n      temp:\n        ${channel}\n`
  return deviceOf('bad.yaml', yaml).then(() => assert.fail('it was taken'), messageOf)
}

describe('channels of a configuration', () => {
  it('say in YAML what is done with each channel', async () => {
    const { channels } = await deviceOf(
      'full.yaml',
      `
devices:
  roof:
    driver: line
    path: /dev/null
    channels:
      '*': { stale_after: 5s }
      relative_humidity:
        { unit: degF, range: [-40, 85], max_rate: 120/min, stuck_after: 10min, deadband: 0.05, heartbeat: 30s, name: other,
          calibration: { points: [[0, 0.2], [100, 99.1]], fit: least-squares, serial: A1 },
          filters: [{ offset: -0.35 }, { median: 5 }, { average: 10s }, { clamp: [0, 100] }, { skip_first: 3 }, { rate_limit: 2/s }] }
`,
    )
    assert.deepEqual(channels?.get('*'), { staleAfterMs: 5000 })
    assert.deepEqual(channels?.get('relative_humidity'), {
      unit: 'degF',
      range: [-40, 85],
      maxRatePerSecond: 2,
      stuckAfterMs: 600_000,
      deadband: 0.05,
      heartbeatMs: 30_000,
      name: 'other',
      calibration: {
        points: [
          [0, 0.2],
          [100, 99.1],
        ],
        fit: 'least-squares',
        serial: 'A1',
      },
      filters: [
        { offset: -0.35 },
        { median: 5 },
        { average: 10_000 },
        { clamp: [0, 100] },
        { skip_first: 3 },
        { rate_limit: 2 },
      ],
    })
  })

  it('can be said in INI as far as plain values go', async () => {
    const { channels } = await deviceOf(
      'channels.ini',
      '[devices.roof]\ndriver = sim\n[devices.roof.channels.value]\nrange = -40, 85\nmax_rate = 2/s\ndeadband = 0.5\n' +
        '[devices.roof.channels.value.calibration]\ngain = 2\n',
    )
    assert.deepEqual(channels?.get('value'), {
      range: [-40, 85],
      maxRatePerSecond: 2,
      deadband: 0.5,
      calibration: { gain: 2 },
    })
  })

  it('leave a driver its own option of that name', async () => {
    const { channels, options } = await deviceOf('own.yaml', 'devices: { roof: { driver: sim, channels: 8 } }\n')
    assert.equal(channels, undefined)
    assert.equal(options.channels, 8)
  })

  it('are checked, each mistake with its place and how to mend it', async () => {
    assert.match(await problemOf('renge: [1, 2]'), /bad\.yaml:7 .*temp\.renge: unknown key.*did you mean range/)
    assert.match(await problemOf('range: [2, 1]'), /the lower first/)
    assert.match(await problemOf('heartbeat: 5s'), /heartbeat is of a deadband/)
    assert.match(await problemOf('filters: [{ median: 5, offset: 1 }]'), /one filter an entry/)
    assert.match(await problemOf('filters: [{ median: 4 }]'), /odd number/)
    assert.match(await problemOf('filters: [{ meadian: 5 }]'), /did you mean median/)
    assert.match(await problemOf('calibration: { offset: 1, polynomial: [1] }'), /expected one of offset with gain/)
    assert.match(await problemOf('calibration: { points: [[1, 2], [1, 3]] }'), /another measured value/)
    assert.match(await problemOf('name: b\n      b: {}'), /temp\.name: expected a name that no other channel/)
    assert.match(await problemOf('max_rate: fast'), /2\/s, 30\/min/)
  })

  it('name channels that the device has', () => {
    const settings = new Map([
      ['*', {}],
      ['temprature', {}],
    ])
    assert.match(unknownChannel(settings, ['temperature', 'pressure'])!, /temprature: .*Did you mean temperature\?/)
    assert.equal(unknownChannel(settings, ['temprature']), undefined)
  })
})
