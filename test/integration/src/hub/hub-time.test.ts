import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { streamLocator } from '#src/host/stream-locator'
import { readBack } from '#test/support/read-back'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-time')

describe('the time of the hub', () => {
  it('is waited for: samples stay in the ring until the clock is synchronised, and are stored then', async () => {
    const data = await mkdtemp(join(directory, 'data-'))
    const config = join(data, 'hub.yaml')
    const synced = join(data, 'synced')
    await writeFile(
      config,
      `
time: { hold_until_synced: 10min, synced_file: ${synced} }
devices: { sim: { driver: sim, interval_ms: 5, seed: 1 } }
`,
    )
    const startedUs = Date.now() * 1000
    const hub = runHub(['--config', config, '--data', data])
    const url = await hub.ready()
    const held = await hub.reaches('samples are held', ({ ledger }) => ledger.accepted > 100)
    assert.equal(held.ledger.delivered, 0)
    assert.equal(held.ledger.inFlight, held.ledger.accepted)
    const { clock } = (await (await fetch(`${url}/status`)).json()) as { clock: Record<string, unknown> }
    assert.equal(clock.holding, true)
    assert.match(String(clock.summary), /samples wait in the rings until it is/)
    await writeFile(synced, '')
    const { ledger } = await hub.reaches('what was held is stored', ({ ledger }) => ledger.delivered > 100)
    assert.equal(ledger.dropped, 0)
    const text = await (await fetch(`${url}/metrics`)).text()
    assert.match(text, /^hub_clock_synchronized 1$/m)
    assert.match(text, /^hub_clock_steps_total 0$/m)
    assert.match(text, /^hub_clock_offset_seconds -?0(\.\d+)?$/m)
    assert.match(text, /^hub_ledger_imbalance_samples 0$/m)
    await hub.stop()
    const stored = await readBack(streamLocator({ kind: 'embedded', directory: data, shards: 8 }))
    assert.ok(stored.oldestUs > startedUs && stored.newestUs < (Date.now() + 1) * 1000)
    assert.ok(stored.newestUs - stored.oldestUs > 100 * 5000, 'each has the time at which it was taken')
  })

  it('leaves instants alone that a recording brings along', async () => {
    const data = await mkdtemp(join(directory, 'data-'))
    const config = join(data, 'hub.yaml')
    await writeFile(join(data, 'day.csv'), 'when,a\n2015-01-09T07:30:07Z,1\n2015-01-09T07:30:08Z,2\n')
    const replay = `driver: replay, path: ${join(data, 'day.csv')}, speed: max, timestamps: recorded`
    await writeFile(config, `devices: { day: { ${replay}, time: { fields: [when], format: iso } } }\n`)
    const hub = runHub(['--config', config, '--data', data])
    await hub.reaches('the recording is stored', ({ ledger }) => ledger.delivered === 2)
    await hub.stop()
    const stored = await readBack(streamLocator({ kind: 'embedded', directory: data, shards: 8 }))
    const [first, last] = ['2015-01-09T07:30:07Z', '2015-01-09T07:30:08Z'].map((text) => Date.parse(text) * 1000)
    assert.deepEqual([stored.oldestUs, stored.newestUs], [first, last])
  })

  it('is not waited for when the hub ends', async () => {
    const data = await mkdtemp(join(directory, 'data-'))
    const config = join(data, 'hub.yaml')
    const time = `time: { hold_until_synced: 10min, synced_file: ${join(data, 'never')} }\n`
    await writeFile(config, `${time}devices: { sim: { driver: sim, interval_ms: 5, seed: 1 } }\n`)
    const hub = runHub(['--config', config, '--data', data])
    await hub.reaches('samples are held', ({ ledger }) => ledger.accepted > 50)
    const { ledger } = await hub.stop()
    assert.deepEqual([ledger.delivered, ledger.inFlight, ledger.dropped], [ledger.accepted, 0, 0])
  })
})
