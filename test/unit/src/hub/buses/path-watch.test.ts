import assert from 'node:assert/strict'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { PathWatch } from '#src/hub/buses/path-watch'
import { temporaryDirectory } from '#test/support/temporary-directory'

const directory = await temporaryDirectory('path-watch')
const never = new AbortController().signal

test('a path that appears after a try is new at once', { timeout: 10_000 }, async () => {
  const path = join(directory, 'appears')
  const watch = new PathWatch(async () => path)
  await watch.note()
  await writeFile(path, '')
  await watch.whenNew(never)
})

test('a node in the place of the one that was tried is new', { timeout: 10_000 }, async () => {
  const path = join(directory, 'other')
  await writeFile(path, '')
  const watch = new PathWatch(async () => path)
  await watch.note()
  await writeFile(`${path}.next`, '')
  await rename(`${path}.next`, path)
  await watch.whenNew(never)
})

test('what was tried already is not new until it has been away, and waiting ends on abort', {
  timeout: 10_000,
}, async () => {
  const path = join(directory, 'tried')
  await writeFile(path, '')
  const looks: string[] = []
  let onLook = () => {}
  const watch = new PathWatch(async () => {
    looks.push(path)
    onLook()
    return path
  })
  await watch.note()
  const abort = new AbortController()
  const looked = new Promise<void>((resolve) => {
    onLook = () => {
      if (looks.length > 2) resolve()
    }
  })
  const waiting = watch.whenNew(abort.signal)
  await looked
  abort.abort()
  await waiting
  await rm(path)
  assert.ok(looks.length > 2)
})
