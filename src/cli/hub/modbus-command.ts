/** `node dist/hub.js modbus guess`: what registers of an unknown device may mean. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { guessRegisters } from '../../hub/drivers/modbus/guess.js'
import { wordsOf } from '../../hub/drivers/modbus/register-value.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { table } from '../terminal.js'
import { ModbusLine } from './modbus-line.js'
import { explainBusy } from './running-hub.js'

const FLAGS: readonly CommandFlag[] = [
  { name: 'bus', value: 'WHERE', help: 'the name of a bus, /dev/ttyUSB0 or HOST:PORT' },
  { name: 'baud', value: 'N', help: 'of a serial line (9600)' },
  { name: 'format', value: '8N1', help: 'of a serial line (8N1)' },
  { name: 'unit', value: 'N', help: 'address of the slave (1)' },
  { name: 'holding', value: 'N', help: 'first holding register, counted from 0' },
  { name: 'input', value: 'N', help: 'first input register, counted from 0' },
  { name: 'count', value: 'N', help: 'so many registers, 1 to 125 (4)' },
  { name: 'timeout', value: 'MS', help: 'for the answer (1000)' },
  { name: 'json', help: 'JSON, for programs' },
]

const HELP = `node dist/hub.js modbus guess --bus WHERE --unit N --holding N [flags]

Reads registers once, and shows at each address what they are in every type and order of bytes.
Those that a device could mean are marked with *. Only reads.

${flagLines(FLAGS)}
Exit code: 0 read, 1 no answer, 2 the command line or the configuration is wrong.
`

export async function runModbus(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/hub.js modbus --help.')
  const { positionals, values } = line
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  if (positionals[0] !== 'guess' || positionals.length > 1) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'modbus: the only word after it is guess. See --help.')
  }
  if ((values.holding === undefined) === (values.input === undefined)) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'modbus guess: give --holding N or --input N, the first register.')
  }
  const table = values.holding === undefined ? 'input' : 'holding'
  const start = wholeNumber(table, values[table], 0, 65_535)
  const count = wholeNumber('count', values.count ?? '4', 1, 125)
  const unit = wholeNumber('unit', values.unit ?? '1', 0, 255)
  const timeoutMs = wholeNumber('timeout', values.timeout ?? '1000', 1, 60_000)
  const slaves = await ModbusLine.open(line, context, timeoutMs)
  try {
    const words = await slaves.read(unit, { table, start, count })
    const guesses = words.map((_, at) => ({ register: start + at, guesses: guessRegisters(words.slice(at, at + 4)) }))
    if (values.json === true) writeJson(context, { unit, table, start, words, registers: guesses })
    else print(table, words, guesses, context)
    return EXIT.ok
  } catch (error) {
    throw await explainBusy(error, slaves.http, '')
  } finally {
    await slaves.close()
  }
}

function print(
  kind: string,
  words: readonly number[],
  registers: readonly { register: number; guesses: ReturnType<typeof guessRegisters> }[],
  { out }: CommandContext,
): void {
  const rows = registers.flatMap(({ register, guesses }, at) =>
    guesses.map(({ type, order, value, isPlausible }) => [
      String(register),
      words
        .slice(at, at + wordsOf(type))
        .map((word) => word.toString(16).padStart(4, '0'))
        .join(' '),
      type,
      order,
      isPlausible ? '*' : '',
      String(Number(value.toPrecision(7))),
    ]),
  )
  const columns = [
    { title: kind.toUpperCase() },
    { title: 'WORDS' },
    { title: 'TYPE' },
    { title: 'ORDER' },
    { title: '' },
    { title: 'VALUE' },
  ]
  out.write(table(columns, rows, out))
}

/** @throws TLM_OPTIONS_INVALID */
export function wholeNumber(flag: string, written: string | boolean | undefined, least: number, most: number): number {
  const text = String(written)
  const value = /^(0x[\da-f]{1,8}|\d{1,9})$/i.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new TelemetryError(
    'TLM_OPTIONS_INVALID',
    `--${flag} must be a whole number from ${least} to ${most}, not "${text}".`,
  )
}
