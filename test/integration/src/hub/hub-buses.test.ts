import assert from 'node:assert/strict'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { listenAsUnits } from '#test/support/tcp-units'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-buses')
const ASKING = fileURLToPath(import.meta.resolve('#test/support/asking-driver'))

async function hubWith(yaml: string) {
  const data = await mkdtemp(join(directory, 'data-'))
  const config = join(data, 'hub.yaml')
  await writeFile(config, yaml)
  const hub = runHub(['--config', config, '--data', data])
  const url = await hub.ready()
  const status = async () => (await fetch(`${url}/status`)).json() as Promise<{ devices: DeviceStatus[] }>
  const metrics = async () => {
    const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n')
    return (name: string) => {
      const line = lines.find((one) => one.startsWith(`${name} `))
      return line === undefined ? undefined : Number(line.split(' ')[1])
    }
  }
  /** Asks until it holds, each time the hub has told new figures. */
  const until = async (what: string, holds: () => Promise<boolean>) => {
    while (!(await holds())) {
      const seen = hub.figures?.uptimeSeconds ?? 0
      await hub.reaches(what, ({ uptimeSeconds }) => uptimeSeconds > seen)
    }
  }
  return { hub, status, metrics, until }
}

interface DeviceStatus {
  name: string
  state: string
  readings: number
  fault?: string
  last_fault?: { kind: string; message: string; at: string }
  last_success: string | null
}

describe('a hub with devices on buses', () => {
  it('reads them, tells what is wrong with them, and reads on when it is over', { timeout: 60_000 }, async () => {
    const units = await listenAsUnits()
    units.dead.add(2)
    const { hub, status, metrics, until } = await hubWith(`
buses:
  plc: { type: tcp, host: 127.0.0.1, port: ${units.port} }
devices:
  one: { driver: ${ASKING}, bus: plc, unit: 1, every: 20ms, timeout: 100ms, retry_max_ms: 50 }
  two: { driver: ${ASKING}, bus: plc, unit: 2, every: 20ms, timeout: 100ms, retry_max_ms: 50 }
`)
    await hub.reaches('one is read', ({ ledger }) => ledger.delivered > 50)
    await until('two fails', async () => (await status()).devices[1].state === 'Error')
    const [one, two] = (await status()).devices
    assert.equal(one.state, 'Measuring')
    assert.ok(one.readings > 20 && one.last_success !== null && one.fault === undefined)
    assert.match(two.fault!, /^No answer on 127\.0\.0\.1:\d+ within 100 ms/)
    assert.equal(two.last_fault?.kind, 'timeout')
    assert.equal(two.last_success, null)

    const value = await metrics()
    assert.ok(value('hub_device_reads_total{device="one",result="ok"}')! > 20)
    assert.ok(value('hub_device_reads_total{device="two",result="timeout"}')! > 0)
    assert.equal(value('hub_device_reads_total{device="one",result="identity"}'), 0)
    assert.deepEqual([value('hub_device_up{device="one"}'), value('hub_device_up{device="two"}')], [1, 0])
    assert.equal(value('hub_device_last_success_timestamp_seconds{device="two"}'), 0)
    assert.ok(value('hub_bus_transactions_total{bus="plc",result="ok"}')! > 20)
    assert.ok(value('hub_bus_busy_seconds_total{bus="plc"}')! > 0)
    assert.ok(value('hub_bus_device_busy_seconds_total{bus="plc",device="two"}')! > 0.09)
    assert.equal(value('hub_bus_up{bus="plc"}'), 1)
    assert.ok(value('hub_device_read_duration_seconds_count{device="one"}')! > 20)
    assert.equal(value('hub_device_missed_deadlines_total{device="two"}'), 0)
    assert.equal(value('hub_bus_recoveries_total{bus="plc"}'), 0)

    units.dead.clear()
    await until('two is read', async () => (await status()).devices[1].readings > 5)
    const before = units.connections
    units.cut()
    await until('both are read over a new connection', async () => {
      const { devices } = await status()
      return units.connections > before && devices.every(({ state, fault }) => state === 'Measuring' && !fault)
    })
    await hub.stop()
    await units.close()
  })

  it('keeps trying a device that is not there yet', { timeout: 60_000 }, async () => {
    const units = await listenAsUnits()
    const { port } = units
    await units.close()
    const { hub, status, until } = await hubWith(`
devices:
  one:
    driver: ${ASKING}
    bus: { type: tcp, host: 127.0.0.1, port: ${port} }
    unit: 1
    every: 20ms
    retry_max_ms: 50
`)
    await until('it fails', async () => (await status()).devices[0].state === 'Error')
    assert.match((await status()).devices[0].fault!, /^Nobody listens at 127\.0\.0\.1:\d+/)
    const late = await listenAsUnits(port)
    await hub.reaches('it is read', ({ ledger }) => ledger.delivered > 10)
    await hub.stop()
    await late.close()
  })
})
