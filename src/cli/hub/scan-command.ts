/** `node dist/hub.js scan`: what is connected, and the lines that make a device of it. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, type CommandLine, flagLines, parseCommandLine } from '../command-line.js'
import { dim, table } from '../terminal.js'
import { wholeNumber } from './modbus-command.js'
import { addFind } from './scan/add-find.js'
import { type Find, pasteLines, type ScanResult } from './scan/find.js'
import { scanFiles } from './scan/scan-files.js'
import { scanI2c } from './scan/scan-i2c.js'
import { scanModbus } from './scan/scan-modbus.js'
import { scanSerial } from './scan/scan-serial.js'
import { scanSpi } from './scan/scan-spi.js'

const KINDS = ['serial', 'i2c', 'spi', 'file', 'modbus'] as const
type Kind = (typeof KINDS)[number]

const FLAGS: readonly CommandFlag[] = [
  { name: 'bus', value: 'WHERE', help: 'of i2c and modbus: only this one, e.g. /dev/i2c-1, rs485, HOST:PORT' },
  { name: 'baud', value: 'N', help: 'of modbus on a serial line (9600)' },
  { name: 'format', value: '8N1', help: 'of modbus on a serial line (8N1)' },
  { name: 'units', value: '1-247', help: 'of modbus: the addresses to ask (1-247)' },
  { name: 'timeout', value: 'MS', help: 'of modbus: for each address (200)' },
  { name: 'add', value: 'FIND', help: 'write this find into the file of --config, and print what changed' },
  { name: 'as', value: 'NAME', help: 'with --add: the name of the device' },
  { name: 'sys', value: 'DIR', help: "where the kernel's tree is (/sys), e.g. of the host in a container" },
  { name: 'dev', value: 'DIR', help: 'where device nodes are (/dev)' },
  { name: 'json', help: 'JSON, for programs' },
]

const HELP = `node dist/hub.js scan [serial|i2c|spi|file|modbus] [flags]

Looks for sensors: serial ports, chips on I2C buses, SPI chip selects, what drivers of the kernel measure (file).
Modbus lines are asked only when named: scan modbus --bus WHERE. Nothing is written to a chip but what a read needs.

${flagLines(FLAGS)}
Exit code: 0 done, 1 something could not be looked at, 2 the command line or the configuration is wrong.
`

export async function runScan(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/hub.js scan --help.')
  const { values } = line
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  const kinds = kindsOf(line.positionals)
  const file = configFile(line)
  if ((values.add === undefined) !== (values.as === undefined)) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'scan: --add FIND and --as NAME go together.')
  }
  if (values.add !== undefined && file === undefined) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'scan: --add needs --config FILE, the file to write into.')
  }
  const results = await Promise.all(kinds.map((kind) => scan(kind, line, context)))
  const finds = results.flatMap((result) => result.finds)
  const problems = results.flatMap((result) => result.problems)
  for (const problem of problems) context.err.write(`${problem}\n`)
  if (typeof values.add === 'string') {
    const find = findOf(values.add, finds)
    context.out.write(await addFind(find, String(values.as), file!, context))
    return EXIT.ok
  }
  if (values.json === true) writeJson(context, { finds, problems })
  else print(finds, context)
  return problems.length === 0 ? EXIT.ok : EXIT.failed
}

function scan(kind: Kind, line: CommandLine, context: CommandContext): ScanResult | Promise<ScanResult> {
  const { values } = line
  const sys = typeof values.sys === 'string' ? values.sys : '/sys'
  const dev = typeof values.dev === 'string' ? values.dev : '/dev'
  switch (kind) {
    case 'serial':
      return scanSerial({ sys, dev })
    case 'i2c':
      return scanI2c({ path: typeof values.bus === 'string' ? values.bus : undefined, sys, dev })
    case 'spi':
      return scanSpi(dev)
    case 'file':
      return scanFiles(sys)
    case 'modbus': {
      const [first, last] = unitsOf(values.units)
      return scanModbus(line, context, {
        first,
        last,
        timeoutMs: wholeNumber('timeout', values.timeout ?? '200', 1, 60_000),
      })
    }
  }
}

/** All but Modbus, whose slaves would be disturbed by the questions of a line that is another. */
function kindsOf(positionals: readonly string[]): readonly Kind[] {
  const [word, ...more] = positionals
  if (word === undefined) return KINDS.filter((kind) => kind !== 'modbus')
  const kind = KINDS.find((one) => one === word)
  if (kind !== undefined && more.length === 0) return [kind]
  throw new TelemetryError('TLM_OPTIONS_INVALID', `scan: give one of ${KINDS.join(', ')}, or none for all but modbus.`)
}

function unitsOf(written: string | boolean | undefined): readonly [number, number] {
  const [, first, last] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(String(written ?? '1-247')) ?? []
  const units = [Number(first), Number(last ?? first)] as const
  if (units[0] >= 0 && units[0] <= units[1] && units[1] <= 255) return units
  throw new TelemetryError('TLM_OPTIONS_INVALID', `--units must be such as 1-32 or 3, within 0-255, not "${written}".`)
}

function findOf(id: string, finds: readonly Find[]): Find {
  const found = finds.find((find) => find.id === id)
  if (found !== undefined) return found
  const there = finds.map((find) => find.id).join(', ') || 'nothing'
  throw new TelemetryError('TLM_OPTIONS_INVALID', `There is no ${id} now. Found: ${there}.`)
}

function configFile({ programArgs }: CommandLine): string | undefined {
  return programArgs.find((arg) => arg.startsWith('--config='))?.slice('--config='.length)
}

function print(finds: readonly Find[], { out }: CommandContext): void {
  if (finds.length === 0) {
    out.write('Nothing was found. See docs/tools.md for what each bus needs to be seen.\n')
    return
  }
  const columns = [{ title: 'FIND' }, { title: 'DRIVER' }, { title: 'CERTAINTY' }, { title: 'WHAT' }]
  const rows = finds.map(({ id, driver, certainty, what }) => [id, driver ?? '-', certainty, what])
  out.write(table(columns, rows, out))
  const pasted = finds.filter(({ lines }) => lines !== undefined)
  if (pasted.length === 0) return
  out.write(`\n${dim('Lines for the configuration (or: --add FIND --as NAME --config FILE):', out)}\n`)
  for (const { id, lines } of pasted) out.write(`\n# ${id}\n${pasteLines(lines!, 'NAME').join('\n')}\n`)
}
