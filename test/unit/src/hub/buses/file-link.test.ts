import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { openFileLink } from '#src/hub/buses/file-link'

describe('files of the kernel', () => {
  let root = ''
  const fault = (kind: string) => ({ code: 'TLM_READ_FAILED', details: { fault: kind } })

  before(async () => {
    const folder = await mkdtemp(join(tmpdir(), 'telemetryhub-files-'))
    root = join(folder, 'root')
    await mkdir(join(root, 'devices', 'device0'), { recursive: true })
    await writeFile(join(root, 'devices', 'device0', 'in_temp_input'), '21187\n')
    await symlink('devices/device0', join(root, 'link'))
    await writeFile(join(folder, 'secret'), 'secret')
    await symlink('../secret', join(root, 'out'))
    await writeFile(join(root, 'long'), 'x'.repeat(10_000))
  })
  after(() => rm(join(root, '..'), { recursive: true }))

  it('are read, written and listed below the root, through links too', async () => {
    const files = await openFileLink({ kind: 'file', root })
    assert.equal(await files.read('link/in_temp_input'), '21187\n')
    assert.deepEqual(await files.list('link'), ['in_temp_input'])
    assert.deepEqual(await files.list('nowhere'), [])
    await files.write('link/in_temp_input', '5\n')
    assert.equal(await readFile(join(root, 'devices', 'device0', 'in_temp_input'), 'utf8'), '5\n')
    assert.equal((await files.read('long')).length, 4096)
  })

  it('are not created, and what is missing is told', async () => {
    const files = await openFileLink({ kind: 'file', root })
    await assert.rejects(files.write('new', 'x'), fault('missing'))
    await assert.rejects(files.read('link/nothing'), fault('missing'))
    await assert.rejects(openFileLink({ kind: 'file', root: join(root, 'no') }), { code: 'TLM_BUS_UNAVAILABLE' })
  })

  it('are never those outside of the root', async () => {
    const files = await openFileLink({ kind: 'file', root })
    for (const path of ['../secret', 'link/../../secret', '/etc/hostname', 'out', '..']) {
      await assert.rejects(files.read(path), fault('setup'), path)
      await assert.rejects(files.write(path, 'x'), fault('setup'), path)
    }
    await assert.rejects(files.list('..'), fault('setup'))
  })
})
