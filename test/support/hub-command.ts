import { execFile } from 'node:child_process'
import { repositoryFile } from './repository.js'

export interface CommandOutcome {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Runs a command of the hub as a process; this one goes on meanwhile, so that it can be the other end of a bus. */
export function hubCommand(
  args: readonly string[],
  { env = {}, cwd }: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<CommandOutcome> {
  const base = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const options = { env: { ...base, ...env }, timeout: 30_000, encoding: 'utf8' as const, ...(cwd && { cwd }) }
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [repositoryFile('dist/hub.js'), ...args], options, (_, out, err) =>
      resolve({ status: child.exitCode ?? -1, out, err }),
    )
  })
}
