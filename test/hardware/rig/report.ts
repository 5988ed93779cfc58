import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FaultRecord } from './fault-run.js'
import type { ScriptReport } from './script.js'

const FOLDER = 'hardware-results'

/** Writes `hardware-results/<start>-seed-<seed>.md` and `.json`. @returns the path without ending */
export function writeReport(report: ScriptReport): string {
  mkdirSync(FOLDER, { recursive: true })
  const path = join(FOLDER, `${report.startedAt.replaceAll(/[:.]/g, '-')}-seed-${report.seed}`)
  writeFileSync(`${path}.json`, `${JSON.stringify(report, undefined, 2)}\n`)
  writeFileSync(`${path}.md`, toMarkdown(report))
  return path
}

function toMarkdown({ startedAt, seed, minutes, faults, samples, imbalance, ledger, devices, problems }: ScriptReport) {
  const lines = [
    `# Virtual hardware, ${minutes} min, seed ${seed}`,
    '',
    `Started ${startedAt}. ${faults.length} faults, ${samples} samples stored, ledger out of balance by ${imbalance}.`,
    '',
    problems.length === 0 ? 'Every promise held.' : ['Broken:', ...problems.map((one) => `- ${one}`)].join('\n'),
    '',
    '| Bus | Fault | Times | Seen as | Seen after, median ms | Recovered after, median ms | longest ms |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...[...grouped(faults)].map(([key, group]) => {
      const seen = [...new Set(group.map(({ seenAs }) => seenAs ?? 'NOT SEEN'))].join(', ')
      const back = group.map(({ recoveredAfterMs }) => recoveredAfterMs ?? Number.POSITIVE_INFINITY)
      const columns = [group.length, seen, median(group.map(({ seenAfterMs }) => seenAfterMs)), median(back)]
      return `| ${key} | ${columns.join(' | ')} | ${Math.max(...back)} |`
    }),
    '',
    '| Device | Readings and faults |',
    '| --- | --- |',
    ...devices.map(({ name, counts }) => {
      const happened = Object.entries(counts).filter(([, count]) => count > 0)
      return `| ${name} | ${happened.map(([what, count]) => `${what} ${count}`).join(', ')} |`
    }),
    '',
    `Ledger: \`${JSON.stringify(ledger)}\``,
    '',
  ]
  return lines.join('\n')
}

function grouped(faults: readonly FaultRecord[]): Map<string, FaultRecord[]> {
  const groups = new Map<string, FaultRecord[]>()
  for (const fault of [...faults].sort((a, b) => a.bus.localeCompare(b.bus) || a.kind.localeCompare(b.kind))) {
    const key = `${fault.bus} | ${fault.kind}`
    groups.set(key, [...(groups.get(key) ?? []), fault])
  }
  return groups
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!
}
