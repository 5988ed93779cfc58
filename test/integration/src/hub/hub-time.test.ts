import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
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
