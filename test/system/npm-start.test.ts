import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { it } from 'node:test'
import { repositoryFile } from '#test/support/repository'

it('npm start gives findings within 10 s and ends within 5 s of Ctrl-C with a balanced ledger', async () => {
  const data = await mkdtemp(join(tmpdir(), 'telemetryhub-start-'))
  const startedMs = performance.now()
  const child = spawn(process.execPath, [repositoryFile('dist/start.js'), '--port', '0'], {
    cwd: repositoryFile('.'),
    env: { ...process.env, TELEMETRY_DATA: data, PROCESSOR_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  const lines: string[] = []
  let firstFindingMs: number | undefined
  for await (const line of createInterface({ input: child.stdout! })) {
    lines.push(line)
    const findings = Number(/findings ([\d,]+)/.exec(line)?.[1]?.replaceAll(',', '') ?? 0)
    if (firstFindingMs === undefined && findings > 0) {
      firstFindingMs = performance.now() - startedMs
      child.kill('SIGINT')
    }
  }
  const [code] = await ended
  const tookMs = performance.now() - startedMs - (firstFindingMs ?? 0)
  await rm(data, { recursive: true, force: true })
  assert.ok(firstFindingMs !== undefined && firstFindingMs < 10_000, `first finding after ${firstFindingMs} ms`)
  assert.ok(tookMs < 5000, `ended ${tookMs} ms after Ctrl-C`)
  assert.equal(code, 0, lines.join('\n'))
  assert.ok(lines.includes('ledger balanced'), lines.join('\n'))
})
