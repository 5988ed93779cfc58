/** `node dist/hub.js trace`: follows what passes over a bus of the hub that runs. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { durationMs } from '#core/options/fields'
import type { TraceLine } from '../../hub/api/trace-route.js'
import { type CommandContext, EXIT, type ExitCode } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { dim } from '../terminal.js'
import { spaced, transactionLine } from './hex-log.js'
import { wholeNumber } from './modbus-command.js'
import { linesOf } from './ndjson-lines.js'
import { askHub } from './running-hub.js'
import { optionsWith } from './wanted-device.js'

const FLAGS: readonly CommandFlag[] = [
  { name: 'count', short: 'n', value: 'N', help: 'end after so many transactions' },
  { name: 'for', value: '10s', help: 'end after so long' },
  { name: 'json', help: 'the lines as the hub sends them, JSON each' },
]

const HELP = `node dist/hub.js trace BUS|DEVICE [flags]

Follows the transactions of a bus, or of one device on it, in the hub that runs: time, device, how long it took,
bytes sent (>) and received (<), faults (!). The configuration of --config says where the hub listens. Ctrl-C ends it.

${flagLines(FLAGS)}
Exit code: 0 done, 1 no hub answers, 2 the hub has no such bus, or the command line is wrong.
`

export async function runTrace(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const { positionals, values, programArgs } = parseCommandLine(argv, FLAGS, 'See node dist/hub.js trace --help.')
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  const [name, ...more] = positionals
  if (name === undefined || more.length > 0) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'trace: give the name of one bus or device.')
  }
  const count =
    values.count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('count', values.count, 1, 999_999_999)
  const { http } = await optionsWith(programArgs, context.env)
  const end = new AbortController()
  const timer = values.for === undefined ? undefined : setTimeout(() => end.abort(), durationOf('for', values.for))
  const signal = AbortSignal.any([context.signal, end.signal])
  try {
    const response = await askHub(http, 'GET', `/buses/${encodeURIComponent(name)}/trace`, signal)
    let seen = 0
    for await (const { text } of linesOf(response.body!)) {
      const line = JSON.parse(text) as TraceLine
      print(line, text, values.json === true, context)
      if (line.kind !== 'transaction' && line.kind !== 'frame') continue
      if (++seen >= count) return EXIT.ok
    }
    context.err.write('The hub has ended.\n')
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    end.abort()
  }
  return EXIT.ok
}

/** Milliseconds. @throws TLM_OPTIONS_INVALID */
export function durationOf(flag: string, written: string | boolean): number {
  const { data } = durationMs(1, 86_400_000).safeParse(written)
  if (data !== undefined) return data
  throw new TelemetryError('TLM_OPTIONS_INVALID', `--${flag} must be a duration such as 10s or 5m, not "${written}".`)
}

function print(line: TraceLine, text: string, isJson: boolean, { out, err }: CommandContext): void {
  const isNote = line.kind === 'start' || line.kind === 'lost'
  if (isJson) out.write(`${text}\n`)
  else if (isNote) err.write(`${dim(shown(line), err)}\n`)
  else out.write(`${shown(line)}\n`)
}

function shown(line: TraceLine): string {
  switch (line.kind) {
    case 'start':
      return `bus ${line.bus}: ${line.devices.join(', ')}`
    case 'transaction':
      return `${line.at}  ${line.device}  ${transactionLine(line)}`
    case 'frame': {
      const fault = line.fault === undefined ? '' : `  ! ${line.fault.fault}: ${line.fault.message}`
      return `${line.at}  ${line.device}  < ${spaced(line.bytes)}${fault}`
    }
    case 'lost':
      return `${line.count} were left out: this terminal is too slow.`
  }
}
