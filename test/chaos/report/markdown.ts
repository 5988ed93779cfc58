import type { Verdict } from '../oracle/checker.js'
import type { Recovery } from '../recovery.js'
import { percentilesOf } from './percentiles.js'
import { type ChaosReport, problemsOfReport, type StormReport } from './report.js'
import { SCENARIOS, type Scenario } from './scenarios.js'

/** The report as people read it. */
export function toMarkdown(report: ChaosReport): string {
  const { seed, command, startedAt, versions, storm, flush, sweep, mutations } = report
  const problems = problemsOfReport(report)
  const held = problems.length === 0 ? 'Every promise held.' : `**${problems.length} broken:**`
  return [
    '# Chaos report',
    '',
    `Seed ${seed}, \`${command}\`, ${startedAt}.`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    '',
    held,
    ...problems.map((problem) => `- ${problem}`),
    ...(storm === undefined ? [] : stormSection('Storm', storm)),
    ...(flush === undefined ? [] : stormSection('FLUSHALL', flush)),
    ...(sweep === undefined ? [] : sweepSection(sweep)),
    ...(mutations === undefined ? [] : mutationSection(mutations)),
    ...scenarioSection(report),
    '',
  ].join('\n')
}

function stormSection(title: string, storm: StormReport): string[] {
  const { durationMs, restMs, strikes, missed, verdict, recoveries, fenced } = storm
  return [
    '',
    `## ${title}`,
    '',
    `${seconds(durationMs)} of load and faults, at rest ${seconds(restMs)} after the load.`,
    '',
    ...table(['samples', ''], countRows(verdict, fenced)),
    '',
    ...table(
      ['nemesis', 'struck', 'found nothing'],
      Object.keys({ ...strikes, ...missed })
        .sort()
        .map((name) => [name, strikes[name] ?? 0, missed[name] ?? 0]),
    ),
    '',
    'From the heal of a fault until samples offered after it took effect, in milliseconds:',
    '',
    ...recoveryTable(recoveries),
  ]
}

function countRows(verdict: Verdict, fenced: number): (string | number)[][] {
  const { inHubMemory, inRedisMemory, counted } = verdict.missing
  const inMemory = inHubMemory.reduce((sum, { samples }) => sum + samples, 0)
  const atMost = inHubMemory.reduce((sum, { atMost: bound }) => sum + bound, 0)
  return [
    ['confirmed as stored (200)', verdict.confirmed],
    ['accepted (202)', verdict.accepted],
    ['offered, no reply', verdict.uncertain],
    ['effected', verdict.effected],
    ['dead-lettered', verdict.deadLettered],
    ['lost', verdict.lost.length],
    ['effected twice', verdict.duplicated.length],
    ['out of order', verdict.reordered.length],
    ['innocent, dead-lettered', verdict.innocents.length],
    [`in the memory of ${inHubMemory.length} hubs when they were killed (at most ${atMost})`, inMemory],
    ['pushed tasks that Redis had confirmed, and lost within two seconds with a SIGKILL', inRedisMemory],
    ...Object.entries(counted).map(([reason, count]) => [`dropped and counted by the hub: ${reason}`, count]),
    ['runs of a batch beyond its first', verdict.reruns],
    ['steps refused to former owners', fenced],
  ]
}

function recoveryTable(recoveries: readonly Recovery[]): string[] {
  const row = (name: string, values: readonly (number | undefined)[]) => {
    const found = percentilesOf(values.filter((value) => value !== undefined))
    return [
      name,
      found?.count ?? 0,
      ...[found?.p50, found?.p99, found?.max].map((ms) => (ms === undefined ? '' : Math.round(ms))),
    ]
  }
  const undisturbed = recoveries.filter(({ isDisturbed }) => !isDisturbed)
  const kinds = [...new Set(undisturbed.map(({ nemesis }) => nemesis))].sort()
  return table(
    ['', 'count', 'p50', 'p99', 'max'],
    [
      row(
        'first finding, undisturbed',
        undisturbed.map(({ firstMs }) => firstMs),
      ),
      row(
        'all devices, undisturbed',
        undisturbed.map(({ allMs }) => allMs),
      ),
      row(
        'first finding, other faults meanwhile',
        recoveries.filter(({ isDisturbed }) => isDisturbed).map(({ firstMs }) => firstMs),
      ),
      row(
        'all devices, other faults meanwhile',
        recoveries.filter(({ isDisturbed }) => isDisturbed).map(({ allMs }) => allMs),
      ),
      ...kinds.map((kind) =>
        row(
          `all devices after ${kind}`,
          undisturbed.filter(({ nemesis }) => nemesis === kind).map(({ allMs }) => allMs),
        ),
      ),
    ],
  )
}

function sweepSection(sweep: NonNullable<ChaosReport['sweep']>): string[] {
  const rows = sweep.map(({ name, summary, problems, tookMs }) => [
    name,
    summary,
    seconds(tookMs),
    problems.length === 0 ? 'holds' : problems.join('; '),
  ])
  return ['', '## Sweep: one exact moment each', '', ...table(['point', 'what happens', 'took', 'result'], rows)]
}

function mutationSection(mutations: NonNullable<ChaosReport['mutations']>): string[] {
  const rows = mutations.map(({ name, removed, by, isCaught, evidence }) => [
    name,
    removed,
    by,
    isCaught ? `caught: ${evidence}` : '**survived**',
  ])
  return ['', '## Mutations', '', ...table(['mutation', 'what is removed', 'judged by', 'result'], rows)]
}

function scenarioSection(report: ChaosReport): string[] {
  const rows = SCENARIOS.map((scenario) => [
    scenario.number,
    scenario.fault,
    `\`${scenario.command}\``,
    resultOf(scenario, report),
  ])
  return ['', '## Scenarios', '', ...table(['#', 'fault', 'command', 'result'], rows)]
}

function resultOf({ number, nemeses }: Scenario, { storm, flush, sweep = [], mutations }: ChaosReport): string {
  if (number === 37 && mutations !== undefined) {
    const caught = mutations.filter(({ isCaught }) => isCaught).length
    return `${caught} of ${mutations.length} caught`
  }
  const shown: { what: string; isBroken: boolean }[] = []
  for (const part of [storm, flush]) {
    const strikes = nemeses.reduce((sum, name) => sum + (part?.strikes[name] ?? 0), 0)
    if (part !== undefined && strikes > 0)
      shown.push({ what: `${strikes} strikes`, isBroken: part.problems.length > 0 })
  }
  const points = sweep.filter(({ scenarios }) => scenarios.includes(number))
  if (points.length > 0) {
    shown.push({ what: `${points.length} points`, isBroken: points.some(({ problems }) => problems.length > 0) })
  }
  if (shown.length === 0) return 'not run'
  const isBroken = shown.some((part) => part.isBroken)
  return `${isBroken ? '**broken**' : 'held'}: ${shown.map(({ what }) => what).join(', ')}`
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)]
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
