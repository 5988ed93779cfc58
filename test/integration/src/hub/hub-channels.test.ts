import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-channels')

async function hubWith(yaml: string) {
  const data = await mkdtemp(join(directory, 'data-'))
  const config = join(data, 'hub.yaml')
  await writeFile(config, yaml)
  return runHub(['--config', config, '--data', data])
}

/** Values of a metric by the labels that matter. */
function metricOf(text: string, name: string, label: string): Record<string, number> {
  const found = [...text.matchAll(new RegExp(`^${name}\\{.*?${label}="([^"]*)".*?\\} (\\S+)$`, 'gm'))]
  return Object.fromEntries(found.map(([, key, value]) => [key, Number(value)]))
}

describe('channels of the hub', () => {
  it('convert, judge and thin the values of a simulated device, and count what they leave out', async () => {
    // A room of 17 to 25 Cel, so 62 to 77 degF; a thousandth of all values are spikes of hundreds.
    const hub = await hubWith(`
devices:
  sim:
    driver: sim
    profile: temperature
    interval_ms: 1
    seed: 7
    faults: { spike_probability: 0.02, spike_size: 500 }
    channels:
      temperature:
        unit: degF
        name: room
        range: [0, 120]
        filters: [{ skip_first: 3 }, { median: 5 }]
        deadband: 0.05
        heartbeat: 1s
`)
    const url = await hub.ready()
    await hub.reaches('samples are stored', ({ ledger }) => ledger.delivered > 50)
    const { ledger, latest } = await hub.reaches('a value within range', (all) => Math.abs(all.latest!.value - 70) < 20)
    assert.deepEqual([latest?.channel, latest?.unit], ['room', '[degF]'])
    const text = await (await fetch(`${url}/metrics`)).text()
    const suppressed = metricOf(text, 'hub_channel_suppressed_samples_total', 'reason')
    const suspect = metricOf(text, 'hub_channel_suspect_samples_total', 'reason')
    const quality = metricOf(text, 'hub_channel_quality', 'quality')
    assert.equal(suppressed.skip_first, 3)
    assert.ok(suppressed.deadband > 0)
    assert.deepEqual([suppressed.rate_limit, suppressed.filter, suppressed.disabled], [0, 0, 0])
    assert.ok(suspect.range > 0)
    assert.equal(
      Object.values(quality).reduce((sum, one) => sum + one, 0),
      1,
    )
    assert.match(text, /^hub_ledger_imbalance_samples 0$/m)
    assert.ok(ledger.accepted > 0)
    await hub.stop()
  })

  it('do not start with a unit that the device has not, and say which it has', async () => {
    const hub = await hubWith(
      'devices: { sim: { driver: sim, profile: pressure, channels: { pressure: { unit: Cel } } } }\n',
    )
    assert.equal(await hub.ended(), 78)
    assert.match(hub.output, /devices\.sim\.channels\.pressure\.unit is Cel: hPa converts to Pa, hPa, kPa/)
  })
})
