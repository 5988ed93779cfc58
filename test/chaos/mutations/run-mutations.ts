import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { repositoryFile } from '#test/support/repository'
import { MUTATIONS, type Mutation, type MutationResult } from './mutation.js'

/** A case that hangs is a case that fails. */
const CASE_MS = 120_000

/**
 * Takes each protection out of a copy of `dist/` of its own and runs the case that must notice; before that, each case on
 * an unchanged copy: a case that fails anyway would prove nothing.
 */
export async function runMutations(say: (line: string) => void): Promise<MutationResult[]> {
  const results: MutationResult[] = []
  for (const mutation of MUTATIONS) {
    const { name, removed, point } = mutation
    const sound = await runIn(undefined, point)
    const broken = sound.isHeld ? await runIn(mutation, point) : sound
    const isCaught = sound.isHeld && !broken.isHeld
    const evidence = sound.isHeld ? broken.evidence : `fails without any mutation: ${sound.evidence}`
    results.push({ name, removed, by: `sweep ${point}`, isCaught, evidence })
    say(`${name.padEnd(20)} ${isCaught ? 'caught' : 'SURVIVED'}: ${evidence}`)
  }
  return results
}

async function runIn(mutation: Mutation | undefined, point: string): Promise<{ isHeld: boolean; evidence: string }> {
  const copy = mkdtempSync(join(tmpdir(), 'telemetryhub-mutation-'))
  try {
    cpSync(repositoryFile('dist'), join(copy, 'dist'), { recursive: true })
    cpSync(repositoryFile('package.json'), join(copy, 'package.json'))
    symlinkSync(repositoryFile('node_modules'), join(copy, 'node_modules'))
    if (mutation !== undefined) mutate(join(copy, 'dist'), mutation)
    const run = join(copy, 'dist/test/chaos/run.js')
    const child = spawn(process.execPath, [run, '--parts', 'sweep', '--points', point, '--seed', '1'], {
      cwd: copy,
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: CASE_MS,
    })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    const line = output.split('\n').find((candidate) => candidate.startsWith(point)) ?? 'it did not end'
    return { isHeld: code === 0, evidence: line.slice(point.length).trim() }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** @throws Error the text to be removed is not there exactly once: the product has changed, and so must the mutation */
function mutate(dist: string, { name, file, from, to }: Mutation): void {
  const folder = join(dist, dirname(file))
  const [before, after = ''] = basename(file).split('*')
  const found = readdirSync(folder).filter((candidate) => candidate.startsWith(before) && candidate.endsWith(after))
  const path = join(folder, found.find((candidate) => candidate.endsWith('.js')) ?? basename(file))
  const parts = readFileSync(path, 'utf8').split(from)
  if (parts.length !== 2)
    throw new Error(`Mutation ${name}: ${path} has "${from}" ${parts.length - 1} times, not once.`)
  writeFileSync(path, parts.join(to))
}
