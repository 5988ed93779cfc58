import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

/** A directory of the suite's own, removed when the suite has ended. */
export async function temporaryDirectory(name: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), `telemetryhub-${name}-`))
  after(() => rm(directory, { recursive: true, force: true }))
  return directory
}
