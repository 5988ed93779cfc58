import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryDirectory } from '#test/support/temporary-directory'
import { runHub, TestProgram } from '#test/support/test-program'

const directory = await temporaryDirectory('hub-program')

async function file(name: string, text: string): Promise<string> {
  const path = join(directory, name)
  await writeFile(path, text)
  return path
}

describe('node dist/hub.js', () => {
  it('ends with an explanation when its port is in use', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const hub = new TestProgram('hub.js', ['--port', String(port), '--data', directory], {})
    assert.equal(await hub.ended(), 69)
    assert.match(hub.output, new RegExp(`127\\.0\\.0\\.1:${port} is in use by another program\\. Stop`))
    other.close()
  })

  it('names every mistake of its configuration with file and line, and does not start', async () => {
    const path = await file('bad.yaml', 'ring:\n  slotz: 64\nbatch:\n  max_bytes: 9\n')
    const hub = runHub(['--config', path])
    assert.equal(await hub.ended(), 78)
    assert.match(hub.output, /bad\.yaml:2 ring\.slotz: unknown key\. Fix: did you mean slots\?/)
    assert.match(hub.output, /bad\.yaml:4 batch\.max_bytes: expected a size from 512/)
  })

  it('refuses options that a driver cannot work with', async () => {
    const path = await file('driver.yaml', 'devices: { port: { driver: line, path: /dev/null, format: csv } }\n')
    const hub = runHub(['--config', path, '--data', directory])
    assert.equal(await hub.ended(), 78)
    assert.match(hub.output, /Format csv needs "fields"/)
  })

  it('refuses to run when samples would go nowhere', async () => {
    const path = await file('nowhere.ini', '[gateway]\nlocal_storage = false\nredis_publish = false\n')
    const hub = runHub(['--config', path])
    assert.equal(await hub.ended(), 78)
    assert.match(hub.output, /gateway\.local_storage/)
  })

  it('goes on without a serial device that is missing, says which, and tries again', async () => {
    const yaml =
      'devices:\n  arduino: { driver: line, path: /dev/serial/none }\n  sim: { driver: sim, interval_ms: 2 }\n'
    const hub = runHub(['--config', await file('serial.yaml', yaml), '--data', join(directory, 'serial')])
    const url = await hub.ready()
    await hub.reaches('the other device is stored', ({ ledger }) => ledger.delivered > 5)
    const { devices } = (await (await fetch(`${url}/status`)).json()) as {
      devices: { name: string; state: string; reason: string }[]
    }
    const arduino = devices.find(({ name }) => name === 'arduino')
    assert.equal(arduino?.state, 'Error')
    assert.match(arduino.reason, /\/dev\/serial\/none/)
    assert.match(hub.output, /"device":"arduino".*"to":"Error"/)
    await hub.stop()
  })

  it("runs with the seed's own configuration file", async () => {
    const ini = [
      '[redis]',
      'enabled = false',
      'host = 127.0.0.1',
      'port = 6379',
      'queue_name = telemetry:tasks',
      '[gateway]',
      'sampling_interval_ms = 5',
      'local_storage = true',
      'redis_publish = true  # Enable dual mode',
    ].join('\n')
    const hub = runHub(['--config', await file('seed.ini', ini), '--data', join(directory, 'seed')])
    await hub.reaches('samples are stored', ({ ledger }) => ledger.delivered > 10)
    await hub.stop()
  })

  it('ends with SIGINT, with all that it accepted stored, and exit code 0', async () => {
    const yaml = 'devices: { sim: { driver: sim, samples_per_second: 50000, channels: 10 } }\n'
    const hub = runHub(['--config', await file('sigint.yaml', yaml), '--data', join(directory, 'sigint')])
    await hub.reaches('samples are stored', ({ ledger }) => ledger.delivered > 10_000)
    const startedMs = performance.now()
    process.kill(hub.pid, 'SIGINT')
    assert.equal(await hub.ended(), 0)
    assert.ok(performance.now() - startedMs < 5000)
    const { ledger } = hub.figures!
    assert.equal(ledger.accepted, ledger.delivered + ledger.droppedBy.ring_full!)
    assert.equal(ledger.inFlight, 0)
    assert.match(hub.output, /"msg":"the hub has ended"/)
  })
})
