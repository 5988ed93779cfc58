import { readFileSync } from 'node:fs'
import { repositoryFile } from '#test/support/repository'

const SHORT: Readonly<Record<string, string>> = {
  redis: 'integration/core/transport/redis',
  processor: 'integration/src/processor',
}

/** What shows a scenario: a test, by its file below `test/` without its ending and a part of its name, or a command. */
export type Proof = { kind: 'test'; file: string; name: string } | { kind: 'chaos'; args: string[] }

export interface ScenarioRow {
  number: number
  fault: string
  proofs: Proof[]
}

/** The rows of `docs/scenarios.md`. @throws RangeError for a row that cannot be read */
export function readScenarios(): ScenarioRow[] {
  const lines = readFileSync(repositoryFile('docs/scenarios.md'), 'utf8').split('\n')
  const rows = lines.filter((line) => /^\| +\d+ \|/.test(line))
  return rows.map((line) => {
    const [number, fault, , proofs] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim())
    return { number: Number(number), fault, proofs: proofs.split(/<br>|; (?=`)/).map(readProof) }
  })
}

function readProof(text: string): Proof {
  const chaos = /^`npm run chaos -- (.+)`$/.exec(text)
  if (chaos !== null) return { kind: 'chaos', args: chaos[1].split(' ') }
  const test = /^`([\w/-]+)`: (.+)$/.exec(text)
  if (test === null) throw new RangeError(`docs/scenarios.md: neither a test nor a chaos command: ${text}`)
  const [, path, name] = test
  const [folder, ...rest] = path.split('/')
  return { kind: 'test', file: [SHORT[folder] ?? folder, ...rest].join('/'), name }
}
