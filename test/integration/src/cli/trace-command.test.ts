import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { hubCommand } from '#test/support/hub-command'
import { listenAsUnits } from '#test/support/tcp-units'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub } from '#test/support/test-program'

const directory = await temporaryDirectory('trace-command')
const ASKING = fileURLToPath(import.meta.resolve('#test/support/asking-driver'))

describe('hub trace', () => {
  it('follows the transactions of a running hub, with their faults, and ends with it', {
    timeout: 60_000,
  }, async () => {
    const units = await listenAsUnits()
    const config = join(directory, 'hub.yaml')
    await writeFile(
      config,
      `
buses:
  plc: { type: tcp, host: 127.0.0.1, port: ${units.port} }
devices:
  one: { driver: ${ASKING}, bus: plc, unit: 1, every: 20ms, timeout: 100ms }
  two: { driver: ${ASKING}, bus: plc, unit: 2, every: 20ms, timeout: 100ms, retry_max_ms: 50 }
`,
    )
    const running = runHub(['--config', config, '--data', join(directory, 'data')])
    const port = new URL(await running.ready()).port
    const at = ['--config', config, '--port', port]
    await running.reaches('both are read', ({ ledger }) => ledger.delivered > 20)

    const device = await hubCommand(['trace', 'one', '-n', '3', ...at])
    assert.equal(device.status, 0)
    assert.equal(device.err, 'bus plc: one\n')
    assert.equal(device.out.trim().split('\n').length, 3)
    for (const line of device.out.trim().split('\n')) {
      assert.match(line, /^\d{4}-\d\d-\d\dT[\d:.]+Z {2}one +\d+\.\d\d ms {2}exchange {4}> 01 {2}< 01 01$/)
    }

    units.dead.add(2)
    const bus = await hubCommand(['trace', 'plc', '--for', '4s', '--json', ...at])
    const lines = bus.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(lines[0], { kind: 'start', bus: 'plc', devices: ['one', 'two'] })
    const failed = lines.find(({ fault }) => fault !== undefined) as { device: string; fault: { fault: string } }
    assert.deepEqual([failed.device, failed.fault.fault], ['two', 'timeout'])

    const unknown = await hubCommand(['trace', 'plb', ...at])
    assert.equal(unknown.status, 2)
    assert.equal(unknown.err, 'There is no bus or device plb to trace. There are: plc, one, two.\n')

    const following = hubCommand(['trace', 'plc', ...at])
    await running.stop()
    const { status, err } = await following
    assert.ok(status === 0 ? /The hub has ended\.\n$/.test(err) : /No hub answers/.test(err), err)
    await units.close()
    const gone = await hubCommand(['trace', 'plc', ...at])
    assert.equal(gone.status, 1)
    assert.match(gone.err, /^No hub answers at http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)\. Start it, or give/)
  })

  it('wants one name', async () => {
    const { status, err } = await hubCommand(['trace'])
    assert.equal(status, 2)
    assert.equal(err, 'trace: give the name of one bus or device.\n')
  })
})
