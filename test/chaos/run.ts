/** `node dist/test/chaos/run.js [options]`: real programs, real faults, and an oracle outside of what is tested. */
import { execFileSync } from 'node:child_process'
import { requirePrograms } from '#test/support/programs'
import { type ChaosOptions, readChaosOptions, USAGE } from './chaos-options.js'
import { runMutations } from './mutations/run-mutations.js'
import { chooseNemeses, NEMESES } from './nemeses/catalogue.js'
import { type ChaosReport, problemsOfReport, versionsOf } from './report/report.js'
import { writeReport } from './report/write-report.js'
import { runStorm } from './run-storm.js'
import { chooseCases, SHORT_SWEEP, SWEEP_CASES, sweep } from './sweep/sweep.js'

/** A run with FLUSHALL needs no longer. */
const FLUSH_MS = 25_000

const say = (line: string) => console.log(line)

process.exitCode = await main()

async function main(): Promise<number> {
  let options: ChaosOptions
  try {
    options = readChaosOptions(process.argv.slice(2))
    if (options.isList) return list()
    requirePrograms(['redis-server'])
    const report = await runParts(options)
    const problems = problemsOfReport(report)
    say(`\n${problems.length === 0 ? 'Every promise held.' : `Broken:\n- ${problems.join('\n- ')}`}`)
    say(`Report: ${writeReport(report)}.md and .json`)
    return problems.length === 0 ? 0 : 1
  } catch (error) {
    if (!(error instanceof RangeError || (error instanceof TypeError && 'code' in error))) throw error
    console.error(`${error.message}\n\n${USAGE}`)
    return 64
  }
}

async function runParts(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, parts, isShort, isMutations, isHubDurable } = options
  const kinds = chooseNemeses(options.nemeses)
  const cases = chooseCases(options.points ?? (isShort ? SHORT_SWEEP : undefined))
  const report: ChaosReport = {
    seed,
    command: commandOf(seed),
    startedAt: new Date().toISOString(),
    versions: versionsOf(redisVersion()),
  }
  if (isMutations) return { ...report, mutations: await runMutations(options.points, say) }
  if (parts.includes('storm')) {
    const durationMs = options.minutes * 60_000
    say(`Storm: seed ${seed}, ${options.minutes} min`)
    const storm = { seed, durationMs, kinds, processors: isShort ? 2 : 3, isHubDurable, isStateKept: true }
    report.storm = await runStorm(storm, say)
  }
  if (parts.includes('flush')) {
    say(`\nFLUSHALL: seed ${seed}`)
    const flush = { seed, durationMs: FLUSH_MS, kinds: chooseNemeses(['flush-all']), processors: 2, isHubDurable }
    report.flush = await runStorm({ ...flush, isStateKept: false }, say)
  }
  if (parts.includes('sweep')) {
    say(`\nSweep: ${cases.length} points`)
    report.sweep = await sweep(cases, options.restMs, say)
  }
  return report
}

/** Repeats this run: with the seed, also when it came from the clock. */
function commandOf(seed: number): string {
  const given = process.argv.slice(2)
  return ['npm run chaos --', ...(given.includes('--seed') ? [] : ['--seed', String(seed)]), ...given].join(' ')
}

function redisVersion(): string {
  const text = execFileSync('redis-server', ['--version'], { encoding: 'utf8' })
  return /v=(\S+)/.exec(text)?.[1] ?? text.trim()
}

function list(): number {
  say('Nemeses:')
  for (const { name, summary, isOptional } of NEMESES) {
    say(`  ${name.padEnd(26)} ${summary}${isOptional === true ? ' (only when named)' : ''}`)
  }
  say('\nPoints of the sweep:')
  for (const { name, summary } of SWEEP_CASES) say(`  ${name.padEnd(26)} ${summary}`)
  return 0
}
