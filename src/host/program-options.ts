import { readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { TelemetryError } from '#core/errors/telemetry-error'
import { type ConfigProblem, type ConfigSource, formatProblem } from '#core/options/config-source'
import { didYouMean } from '#core/options/did-you-mean'
import { type IniAliases, readIni } from '#core/options/ini-source'
import { type Override, readOverrides } from '#core/options/override-source'
import { readOptions } from '#core/options/read-options'
import { readYaml } from '#core/options/yaml-source'

export interface Flag extends Override {
  short?: string
  /** What its value is, e.g. `PORT`, for the help text. */
  value: string
  help: string
}

export interface ProgramSpec {
  /** `hub` or `processor`. */
  name: string
  summary: string
  /** Each with what it does, for the help text. */
  subcommands: readonly (readonly [line: string, help: string])[]
  flags: readonly Flag[]
  env: readonly Override[]
  iniAliases: IniAliases
  /** What INI sections are called besides, e.g. `[device.roof]` for `[devices.roof]`. */
  iniSections?: Readonly<Record<string, string>>
}

export type ProgramCommand<Options> =
  | { kind: 'run'; options: Options; problems: readonly ConfigProblem[] }
  | { kind: 'print'; text: string }

/**
 * Reads flags, environment and the file of `--config` (INI when its name ends in `.ini`, `.conf` or `.cfg`, else YAML).
 *
 * @throws TLM_OPTIONS_INVALID with every problem on a line of its own
 */
export function readProgramOptions<Schema extends z.ZodType>(
  spec: ProgramSpec & { schema: Schema },
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ProgramCommand<z.output<Schema>> {
  const given = readSources(spec, argv, env)
  return given.kind === 'print' ? given : checkSources(spec.schema, given.sources)
}

/** Text to print, or what was written where, not yet checked. @throws TLM_OPTIONS_INVALID a flag or the file is wrong */
export function readSources(
  spec: ProgramSpec,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): { kind: 'print'; text: string } | { kind: 'sources'; sources: ConfigSource[]; configFile: string | undefined } {
  const given = readFlags(spec, argv)
  if (given.help) return { kind: 'print', text: helpText(spec) }
  if (given.version) return { kind: 'print', text: `TelemetryHub ${packageVersion()}` }
  const sources: ConfigSource[] = [
    readOverrides(spec.flags, given, (name) => `--${name}`),
    readOverrides(spec.env, env, (name) => `environment variable ${name}`),
  ]
  const configFile = typeof given.config === 'string' ? given.config : undefined
  if (configFile !== undefined) sources.push(readFile(configFile, spec))
  return { kind: 'sources', sources, configFile }
}

/** @throws TLM_OPTIONS_INVALID with every problem on a line of its own */
export function checkSources<Schema extends z.ZodType>(
  schema: Schema,
  sources: readonly ConfigSource[],
): ProgramCommand<z.output<Schema>> {
  const { options, problems } = readOptions(schema, sources)
  if (options === undefined) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', problems.map(formatProblem).join('\n'))
  }
  return { kind: 'run', options, problems }
}

function readFlags(spec: ProgramSpec, argv: readonly string[]): Record<string, unknown> {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {
    config: { type: 'string', short: 'c' },
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  }
  for (const { name, short } of spec.flags) options[name] = short ? { type: 'string', short } : { type: 'string' }
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    const written = /'(--?[^ '=]+)/.exec((error as Error).message)?.[1] ?? ''
    const near = didYouMean(written.replace(/^-+/, ''), Object.keys(options))
    const fix = near ? `Did you mean --${near}?` : `See node dist/${spec.name}.js --help.`
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${(error as Error).message.split('. ')[0]}. ${fix}`)
  }
}

function readFile(file: string, { iniAliases, iniSections }: ProgramSpec): ConfigSource {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`
    throw new TelemetryError(
      'TLM_OPTIONS_INVALID',
      `--config ${file}: ${reason}. Fix: give the path of a readable file.`,
    )
  }
  return ['.ini', '.conf', '.cfg'].includes(extname(file).toLowerCase())
    ? readIni(text, file, iniAliases, iniSections)
    : readYaml(text, file)
}

function helpText({ name, summary, subcommands, flags, env }: ProgramSpec): string {
  const line = (left: string, right: string) => `  ${left.padEnd(30)} ${right}`
  return [
    `node dist/${name}.js [options]`,
    '',
    summary,
    '',
    `Subcommands, each with --help: node dist/${name}.js ...`,
    ...subcommands.map(([written, help]) => line(written, help)),
    '',
    line('-c, --config FILE', 'options from a YAML or INI file'),
    ...flags.map(({ name, short, value, help }) => line(`${short ? `-${short}, ` : ''}--${name} ${value}`, help)),
    line('-v, --version', 'print the version'),
    line('-h, --help', 'print this text'),
    '',
    'Flags win over the environment, the environment over the file:',
    ...env.map(({ name, path }) => line(name, path.join('.'))),
  ].join('\n')
}

/** The version of package.json, which stands one folder above `dist/`. */
export function packageVersion(): string {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}
