/**
 * Runs suites by folder: `node dist/test/run.js check` (fast, no server) or `all`, or folder names.
 * Installs what the suites need from Debian's packages when it may.
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { requirePrograms } from './support/programs.js'

const FAST = ['unit', 'property', 'conformance-fast']
const ALL = ['unit', 'property', 'ordering', 'conformance', 'simulation', 'hardware', 'integration', 'system']

const wanted = process.argv.slice(2)
const folders = wanted.flatMap((name) => (name === 'check' ? FAST : name === 'all' ? ALL : [name]))
if (wanted.some((name) => name !== 'check')) requirePrograms(['redis-server', 'socat', 'gcc'])

const files = folders.flatMap((folder) => testFiles(join(import.meta.dirname, folder)))
if (files.length === 0) throw new Error(`No test files under ${folders.join(', ')}: build first with "npm run build".`)

const stream = run({ files, concurrency: Number(process.env.TEST_CONCURRENCY ?? 2), timeout: 300_000 })
stream.on('test:fail', () => {
  process.exitCode = 1
})
stream.compose(new spec()).pipe(process.stdout)

function testFiles(folder: string): string[] {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join(folder, name))
      .sort()
  } catch {
    return []
  }
}
