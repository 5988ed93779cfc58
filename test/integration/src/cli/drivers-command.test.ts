import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { builtInDrivers } from '#src/hub/config/driver-catalogue'
import { repositoryFile } from '#test/support/repository'
import { temporaryDirectory } from '#test/support/temporary-directory'

const directory = await temporaryDirectory('drivers-command')

function hub(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [repositoryFile('dist/hub.js'), ...args], {
    encoding: 'utf8',
    cwd: directory,
  })
  return { status, out: stdout, err: stderr }
}

describe('hub drivers', () => {
  it('lists each folder that is a driver, with its bus and in a line what it reads', () => {
    const { status, out } = hub('drivers')
    assert.equal(status, 0)
    const names = out
      .split('\n')
      .slice(1, -1)
      .map((line) => line.split(' ')[0])
    assert.deepEqual(names, builtInDrivers())
    assert.match(out, /^ds18b20 +file +1-Wire/m)
  })

  it('shows what one must be told, also as JSON', () => {
    assert.match(hub('drivers', 'linux-iio').out, /must be told +inputs\n/)
    const { options } = JSON.parse(hub('drivers', 'linux-iio', '--json').out) as { options: unknown[] }
    assert.deepEqual(options, [
      { key: 'chip', isRequired: false },
      { key: 'device', isRequired: false },
      { key: 'inputs', isRequired: true },
    ])
  })

  it('shows a driver in a file', () => {
    const manifest = { name: 'mine', summary: 'a driver of my own', source: 'none', buses: ['i2c'], addresses: [0x40] }
    const text = `export const driver = { kind: 'polled', manifest: ${JSON.stringify(manifest)} }\n`
    writeFileSync(join(directory, 'mine.mjs'), text)
    assert.match(hub('drivers', './mine.mjs').out, /mine: a driver of my own\n\nbus +i2c\naddresses +0x40/)
  })

  it('says what is near to a name that it does not know', () => {
    const { status, err } = hub('drivers', 'ds18b2')
    assert.equal(status, 2)
    assert.match(err, /expected one of .*did you mean ds18b20\?/)
  })
})
