import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { EXIT, type ExitCode, type Subcommand } from './command-context.js'
import { outputTo } from './terminal.js'

/** By name; loaded when they are wanted. */
export type Subcommands = ReadonlyMap<string, () => Promise<Subcommand>>

export const PROCESSOR_COMMANDS: Subcommands = new Map([
  ['dead-letters', async () => (await import('./dead-letters-command.js')).runDeadLetters],
  ['doctor', async () => (await import('./doctor-command.js')).runDoctor],
  ['explain', async () => (await import('./explain-command.js')).runExplain],
])

export const HUB_COMMANDS: Subcommands = new Map([
  ['doctor', async () => (await import('./hub/doctor-command.js')).runHubDoctor],
  ['drivers', async () => (await import('./hub/drivers-command.js')).runDrivers],
  ['modbus', async () => (await import('./hub/modbus-command.js')).runModbus],
  ['read', async () => (await import('./hub/read-command.js')).runRead],
  ['record', async () => (await import('./hub/record-command.js')).runRecord],
  ['replay', async () => (await import('./hub/replay-command.js')).runReplay],
  ['scan', async () => (await import('./hub/scan-command.js')).runScan],
  ['trace', async () => (await import('./hub/trace-command.js')).runTrace],
  ['validate', async () => (await import('./hub/validate-command.js')).runValidate],
])

/**
 * Runs the subcommand that the arguments begin with.
 *
 * @returns its exit code; `undefined`: they begin with none, the program itself is wanted
 */
export async function runSubcommand(
  subcommands: Subcommands,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<ExitCode | undefined> {
  const load = subcommands.get(argv[0] ?? '')
  if (load === undefined) return undefined
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  const err = outputTo(process.stderr, env)
  try {
    const run = await load()
    return await run(argv.slice(1), { env, out: outputTo(process.stdout, env), err, signal: interrupt.signal })
  } catch (error) {
    const isUsage = error instanceof TelemetryError && error.code === 'TLM_OPTIONS_INVALID'
    err.write(`${messageOf(error)}\n`)
    if (error instanceof TelemetryError && !isUsage) err.write(`  ${error.entry.action}\n`)
    return isUsage ? EXIT.usage : EXIT.failed
  }
}
