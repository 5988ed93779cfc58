import { readFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'
import { repositoryFile } from '#test/support/repository'
import type { MutationResult } from '../mutations/mutation.js'
import type { Verdict } from '../oracle/checker.js'
import type { HubEnd } from '../oracle/journal.js'
import type { StormResult } from '../storm.js'
import type { SweepResult } from '../sweep/sweep-case.js'

/** A storm, or a run with FLUSHALL, from its plan to its verdict. */
export interface StormReport extends StormResult {
  durationMs: number
  /** From the end of the load to rest. */
  restMs: number
  /** How each run of the hub ended, with its last ledger. */
  hubs: readonly HubEnd[]
  verdict: Verdict
  /** Settlements, renewals and the like that were refused to former owners. */
  fenced: number
  problems: string[]
}

export interface ChaosReport {
  seed: number
  command: string
  startedAt: string
  versions: Record<string, string>
  storm?: StormReport
  flush?: StormReport
  sweep?: SweepResult[]
  mutations?: MutationResult[]
}

export function versionsOf(redisVersion: string): Record<string, string> {
  const { version } = JSON.parse(readFileSync(repositoryFile('package.json'), 'utf8')) as { version: string }
  const cores = cpus()
  return {
    telemetryhub: version,
    node: process.version,
    redis: redisVersion,
    machine: `${cores.length} × ${cores[0]?.model ?? 'unknown'}, load ${loadavg()[0].toFixed(1)} at the start`,
  }
}

/** Everything that did not hold, a line each. */
export function problemsOfReport({ storm, flush, sweep = [], mutations = [] }: ChaosReport): string[] {
  return [
    ...(storm?.problems ?? []).map((problem) => `storm: ${problem}`),
    ...(flush?.problems ?? []).map((problem) => `flush: ${problem}`),
    ...sweep.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`)),
    ...mutations.filter(({ isCaught }) => !isCaught).map(({ name }) => `mutation ${name} survived`),
  ]
}
