/** `node dist/hub.js drivers`: what drivers there are, and what one of them wants to be told. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { builtInDrivers, loadDrivers } from '../../hub/config/driver-catalogue.js'
import type { AnyDriver } from '../../hub/drivers/contract/driver-module.js'
import { OPTION_FIELDS, type OptionShape } from '../../hub/drivers/contract/option-fields.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { bold, facts, table } from '../terminal.js'

const FLAGS: readonly CommandFlag[] = [{ name: 'json', help: 'JSON, for programs' }]

const HELP = `node dist/hub.js drivers [NAME] [flags]

Lists the drivers, or shows one: the word behind "driver:", ./file.js, or npm:package.

${flagLines(FLAGS)}
Exit code: 0 done, 2 there is no such driver, or the command line is wrong.
`

export async function runDrivers(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const { positionals, values } = parseCommandLine(argv, FLAGS, 'See node dist/hub.js drivers --help.')
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  const [name, ...more] = positionals
  if (more.length > 0) throw new TelemetryError('TLM_OPTIONS_INVALID', 'drivers: give one name, or none.')
  const isJson = values.json === true
  if (name === undefined) await list(isJson, context)
  else await show(name, isJson, context)
  return EXIT.ok
}

async function list(isJson: boolean, context: CommandContext): Promise<void> {
  const drivers = await load(builtInDrivers())
  if (isJson)
    return writeJson(
      context,
      drivers.map(({ manifest }) => manifest),
    )
  const columns = [{ title: 'DRIVER' }, { title: 'BUS' }, { title: 'WHAT IT READS' }]
  const rows = drivers.map(({ manifest: { name, buses, summary } }) => [name, buses.join(', ') || '-', summary])
  context.out.write(table(columns, rows, context.out))
}

async function show(name: string, isJson: boolean, context: CommandContext): Promise<void> {
  const [driver] = await load([name])
  const { manifest } = driver!
  const shape: OptionShape = driver!.options?.(OPTION_FIELDS) ?? {}
  const keys = Object.entries(shape).map(([key, kind]) => ({
    key,
    isRequired: !kind.safeParse(undefined).success,
  }))
  if (isJson) return writeJson(context, { ...manifest, options: keys })
  const { out } = context
  const { buses, addresses, maxClockHz, probe, source, summary } = manifest
  out.write(`${bold(manifest.name, out)}: ${summary}\n\n`)
  out.write(
    facts(
      [
        ['bus', buses.join(', ') || 'none'],
        ['addresses', addresses?.map((address) => `0x${address.toString(16)}`).join(', ')],
        ['fastest clock', maxClockHz === undefined ? undefined : `${maxClockHz / 1000} kHz`],
        ['known by', probe && `${probe.rule}${probe.isCertain ? '' : ' (no proof: confirm what it is)'}`],
        ['source', source],
        ['must be told', keys.flatMap(({ key, isRequired }) => (isRequired ? [key] : [])).join(', ') || 'nothing'],
        ['may be told', keys.flatMap(({ key, isRequired }) => (isRequired ? [] : [key])).join(', ') || 'nothing'],
      ],
      out,
    ),
  )
}

async function load(names: readonly string[]): Promise<AnyDriver[]> {
  const drivers = await loadDrivers(names)
  return names.map((name) => {
    const driver = drivers.get(name)!
    if (!('problem' in driver)) return driver
    throw new TelemetryError('TLM_OPTIONS_INVALID', `drivers: ${name}: ${driver.problem}.`)
  })
}
