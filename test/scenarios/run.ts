/** `node dist/test/scenarios/run.js NUMBER...`: runs what `docs/scenarios.md` names for these scenarios, one after the other. */
import { spawnSync } from 'node:child_process'
import { requirePrograms } from '#test/support/programs'
import { repositoryFile } from '#test/support/repository'
import { type Proof, readScenarios } from './scenario-table.js'

const wanted = process.argv.slice(2).map(Number)
const rows = readScenarios()
const unknown = wanted.filter((number) => !rows.some((row) => row.number === number))
if (wanted.length === 0 || unknown.length > 0) {
  const numbers = [...new Set(rows.map(({ number }) => number))].join(' ')
  console.error(`Usage: npm run scenario -- NUMBER...   with numbers of docs/scenarios.md: ${numbers}`)
  process.exit(64)
}
requirePrograms(['redis-server', 'socat'])
for (const { number, fault, proofs } of rows.filter((row) => wanted.includes(row.number))) {
  console.log(`\nScenario ${number}: ${fault}`)
  for (const proof of proofs) {
    if (spawnSync(process.execPath, argsOf(proof), { stdio: 'inherit' }).status !== 0) process.exitCode = 1
  }
}

function argsOf(proof: Proof): string[] {
  if (proof.kind === 'chaos') return [repositoryFile('dist/test/chaos/run.js'), ...proof.args]
  const pattern = proof.name.replaceAll(/[^\w ]/g, '\\$&')
  const file = repositoryFile(`dist/test/${proof.file}.test.js`)
  return ['--test', '--test-reporter=spec', `--test-name-pattern=${pattern}`, file]
}
