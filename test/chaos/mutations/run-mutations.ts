import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryFile } from '#test/support/repository'
import { MUTATIONS, type Mutation, type MutationResult, targetsOf } from './mutation.js'

/** A case that does not come to rest by then has failed. */
const REST_MS = 25_000

/**
 * Takes each protection out of a copy of `dist/` of its own and runs the case that must notice; before that, each case on
 * an unchanged copy: a case that fails anyway would prove nothing.
 *
 * @param points only mutations that these cases judge; absent: all
 */
export async function runMutations(
  points: readonly string[] | undefined,
  say: (line: string) => void,
): Promise<MutationResult[]> {
  const results: MutationResult[] = []
  for (const mutation of MUTATIONS.filter(({ point }) => points?.includes(point) ?? true)) {
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
    const args = ['--parts', 'sweep', '--points', point, '--seed', '1', '--rest-ms', String(REST_MS)]
    const child = spawn(process.execPath, [run, ...args], { cwd: copy, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    const line = output.split('\n').find((candidate) => candidate.startsWith(point)) ?? 'it ended with an error'
    return { isHeld: code === 0, evidence: line.slice(point.length).trim() }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function mutate(dist: string, mutation: Mutation): void {
  const { from, to } = mutation
  for (const file of targetsOf(dist, mutation))
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(from, () => to),
    )
}
