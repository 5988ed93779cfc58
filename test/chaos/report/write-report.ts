import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toMarkdown } from './markdown.js'
import type { ChaosReport } from './report.js'

/** Samples and texts named in the JSON of one list. */
const MAX_LISTED = 100

/** Writes `chaos-results/<start>-seed-<seed>.md` and `.json`. @returns the path without ending */
export function writeReport(report: ChaosReport): string {
  const folder = join(process.cwd(), 'chaos-results')
  mkdirSync(folder, { recursive: true })
  const name = `${report.startedAt.replaceAll(/[:.]/g, '-')}-seed-${report.seed}`
  const short = (key: string, value: unknown) =>
    Array.isArray(value) && key !== 'recoveries' && value.length > MAX_LISTED
      ? [...value.slice(0, MAX_LISTED), `and ${value.length - MAX_LISTED} more`]
      : value
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(report, short, 2)}\n`)
  writeFileSync(join(folder, `${name}.md`), toMarkdown(report))
  return join('chaos-results', name)
}
