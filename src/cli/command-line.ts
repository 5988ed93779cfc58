import { parseArgs } from 'node:util'
import { TelemetryError } from '#core/errors/telemetry-error'
import { didYouMean } from '#core/options/did-you-mean'

/** A subcommand's own flag. */
export interface CommandFlag {
  name: string
  /** One letter. */
  short?: string
  /** What its value is, for the help; absent: it is a switch. */
  value?: string
  help: string
}

export interface CommandLine {
  positionals: string[]
  /** Of the subcommand's flags. */
  values: Readonly<Record<string, string | boolean | undefined>>
  /** The rest, as the program itself would be given it. */
  programArgs: string[]
}

/** Flags of the program that say where the store is and how to read it. */
const PROGRAM_FLAGS = ['config', 'redis', 'data', 'shards', 'log-level', 'log-file', 'host', 'port'] as const
const SHORT: Readonly<Record<string, string>> = { config: 'c', port: 'p' }

/** @throws TLM_OPTIONS_INVALID for a flag that is unknown, or lacks its value */
export function parseCommandLine(argv: readonly string[], flags: readonly CommandFlag[], help: string): CommandLine {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    help: { type: 'boolean', short: 'h' },
  }
  for (const name of PROGRAM_FLAGS)
    options[name] = SHORT[name] ? { type: 'string', short: SHORT[name] } : { type: 'string' }
  for (const { name, short, value } of flags) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', ...(short === undefined ? {} : { short }) }
  }
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true })
    const programArgs = PROGRAM_FLAGS.flatMap((name) => {
      const value = values[name]
      return typeof value === 'string' ? [`--${name}=${value}`] : []
    })
    return { positionals, values: values as CommandLine['values'], programArgs }
  } catch (error) {
    const [problem] = (error as Error).message.split('. ')
    const written = /'(--?[^ '=]+)/.exec(problem)?.[1] ?? ''
    const near = didYouMean(written.replace(/^-+/, ''), Object.keys(options))
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${problem}. ${near ? `Did you mean --${near}?` : help}`)
  }
}

export function flagLines(flags: readonly CommandFlag[]): string {
  return flags
    .map(({ name, short, value, help }) => {
      const written = `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`
      return `  ${written.padEnd(24)} ${help}\n`
    })
    .join('')
}
