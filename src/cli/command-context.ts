import type { Output } from './terminal.js'

/** Exit codes of subcommands; `doctor` has that of a wrong configuration, too, see `errors/codes`. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const
export type ExitCode = number

/** Runs with the arguments behind its name. */
export type Subcommand = (argv: readonly string[], context: CommandContext) => Promise<ExitCode>

export interface CommandContext {
  env: Readonly<Record<string, string | undefined>>
  out: Output
  err: Output
  /** Aborted by the first Ctrl-C. */
  signal: AbortSignal
}

/** Writes one JSON document. */
export function writeJson({ out }: CommandContext, value: unknown): void {
  out.write(`${JSON.stringify(value, undefined, 2)}\n`)
}
