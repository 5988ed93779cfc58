import { parseArgs } from 'node:util'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'

export const SIMULATOR_HELP = `The serial device of the first TelemetryHub, in software.

  node dist/device-simulator.js [--fault-after N] [--seed N] [--tcp PORT]

At a terminal it is a console: start, stop, sample, help, quit; all else goes to the device as a command.
With a pipe it speaks the protocol on standard input and output, so that socat makes a serial port of it:
  socat PTY,link=/tmp/sensor,raw,echo=0 EXEC:"node dist/device-simulator.js"
--tcp PORT         serves it to one connection at a time on 127.0.0.1 (0: any free port, which it prints)
--fault-after N    latches SafeState after N samples; 0: never (the default)
--seed N           of its noise (1)
Commands: CALIBRATE  GET_STATUS  RESET  SET_RATE=<10 to 10000 ms>  START  STOP
`

export interface SimulatorOptions {
  readonly isHelp: boolean
  readonly faultAfterSamples: number
  readonly seed: number
  readonly tcpPort?: number
}

/** @throws TLM_OPTIONS_INVALID */
export function readSimulatorOptions(argv: readonly string[]): SimulatorOptions {
  const { values } = parse(argv)
  const count = (flag: string, text: string | undefined, most: number) => {
    if (text === undefined) return undefined
    if (/^\d{1,10}$/.test(text) && Number(text) <= most) return Number(text)
    throw new TelemetryError(
      'TLM_OPTIONS_INVALID',
      `--${flag} must be a whole number from 0 to ${most}, not "${text}".`,
    )
  }
  return {
    isHelp: values.help ?? false,
    faultAfterSamples: count('fault-after', values['fault-after'], 1_000_000_000) ?? 0,
    seed: count('seed', values.seed, 0xffff_ffff) ?? 1,
    tcpPort: count('tcp', values.tcp, 65_535),
  }
}

function parse(argv: readonly string[]) {
  const options = {
    help: { type: 'boolean', short: 'h' },
    'fault-after': { type: 'string' },
    seed: { type: 'string' },
    tcp: { type: 'string' },
  } as const
  try {
    return parseArgs({ args: [...argv], options, strict: true })
  } catch (error) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${messageOf(error)} See --help.`)
  }
}
