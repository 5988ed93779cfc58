/** `node dist/hub.js replay`: the values of a recording, decoded with the drivers as they are now. */
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { QUALITY_NAMES } from '#core/model/quality'
import { loadDrivers } from '../../hub/config/driver-catalogue.js'
import type { DeviceConfig } from '../../hub/config/driver-schemas.js'
import { isoOf } from '../../hub/devices/hex-transaction.js'
import { type Decoded, isFault } from '../../hub/drivers/contract/decoded.js'
import { faultOf } from '../../hub/drivers/contract/fault.js'
import { readRecording } from '../../hub/recorder/read-recording.js'
import { type RecordedLine, type RecordingHeader, recordedReading } from '../../hub/recorder/recording-format.js'
import { type CommandContext, EXIT, type ExitCode } from '../command-context.js'
import { type CommandFlag, type CommandLine, flagLines, parseCommandLine } from '../command-line.js'
import { counted } from '../terminal.js'
import { redecoder } from './decode-steps.js'
import { wantedDevices } from './wanted-device.js'

const FLAGS: readonly CommandFlag[] = [
  { name: 'diff', help: 'only what differs from the values of the time of the recording' },
  { name: 'json', help: 'a JSON object a line instead of CSV' },
]

const HELP = `node dist/hub.js replay FILE [flags]

Decodes the bytes of a recording again, and prints the values. With --config the devices of that configuration (by
name) say how; without, the options of the recording. Drivers are those of this hub.

${flagLines(FLAGS)}
Exit code: 0 done, 1 with --diff: something differs, 2 the file, the configuration or the command line is wrong.
`

interface Row {
  readonly at: string
  readonly device: string
  readonly channel: string
  readonly unit: string
  /** `null`: not measured, or a fault. */
  readonly value: number | null
  readonly quality: string
}

interface ComparedRow extends Row {
  readonly recorded: number | null
  readonly recordedQuality: string
}

export async function runReplay(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/hub.js replay --help.')
  const { positionals, values } = line
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', 'replay: give the file of one recording.')
  }
  const { header, lines, damaged } = await readRecording(file)
  const decoders = await decodersOf(header, line, context)
  const isDiff = values.diff === true
  const print = printer(values.json === true, isDiff, context)
  let records = 0
  let differing = 0
  for await (const recorded of lines) {
    const decoder = decoders.get(recorded.device)
    if (decoder === undefined || context.signal.aborted) continue
    records++
    const rows = decoder(recorded)
    const shown = isDiff ? rows.filter(differs) : rows
    if (isDiff && shown.length > 0) differing++
    for (const row of shown) print(row)
  }
  const torn = damaged() === 0 ? '' : `, ${counted(damaged(), 'line')} left out as damaged or torn`
  const sum = isDiff ? `, ${counted(differing, 'record')} of other values than then` : ''
  context.err.write(`${counted(records, 'record')}${sum}${torn}\n`)
  return differing > 0 ? EXIT.failed : EXIT.ok
}

type RowsOf = (line: RecordedLine & { setup: string }) => readonly ComparedRow[]

/** @throws TLM_OPTIONS_INVALID */
async function decodersOf(
  header: RecordingHeader,
  line: CommandLine,
  context: CommandContext,
): Promise<ReadonlyMap<string, RowsOf>> {
  const names = Object.keys(header.devices)
  const isConfigured = line.programArgs.some((arg) => arg.startsWith('--config='))
  const devices = isConfigured
    ? (await wantedDevices(names, line, context)).devices
    : await Promise.all(names.map(async (name) => ({ name, config: await recordedConfig(name, header) })))
  return new Map(devices.map(({ name, config }) => [name, rowsOf(name, config)]))
}

/** The device as it was recorded, with the driver as it is now. @throws TLM_OPTIONS_INVALID */
async function recordedConfig(name: string, { devices }: RecordingHeader): Promise<DeviceConfig> {
  const { driver: word, options } = devices[name]!
  const driver = (await loadDrivers([word])).get(word)!
  if (!('problem' in driver)) return { driver, device: { priority: 'normal' }, options: { ...options } }
  const fix = 'A driver of your own is found through --config.'
  throw new TelemetryError('TLM_OPTIONS_INVALID', `The recording needs driver ${word}: ${driver.problem}. ${fix}`)
}

function rowsOf(name: string, config: DeviceConfig): RowsOf {
  const { driver, options } = config
  if (driver.kind === 'source') {
    throw new TelemetryError(
      'TLM_OPTIONS_INVALID',
      `Device ${name} has driver ${driver.manifest.name}, which decodes no bytes.`,
    )
  }
  const channels = driver.channels(options)
  const decode = redecoder(config)
  return ({ takenAtUs, raw, setup, readings = [] }) => {
    if (raw === '') return []
    const decoded = decodeSafely(decode, raw, setup)
    if (isFault(decoded)) {
      const row = { at: isoOf(takenAtUs), device: name, channel: '', unit: '', value: null, recorded: null }
      // It was one then, too, unless values were recorded.
      const recordedQuality = readings.length === 0 ? decoded.fault : 'good'
      return [{ ...row, quality: decoded.fault, recordedQuality }]
    }
    return decoded.flatMap((reading, at) => {
      const { ageUs, values, quality } = recordedReading(reading)
      const before = readings[at]
      return channels.map((channel, i) => ({
        at: isoOf(takenAtUs - ageUs),
        device: name,
        channel: channel.name,
        unit: channel.unit,
        value: values[i] ?? null,
        quality: QUALITY_NAMES[quality?.[i] ?? 0]!,
        recorded: before?.values[i] ?? null,
        recordedQuality: QUALITY_NAMES[before?.quality?.[i] ?? 0]!,
      }))
    })
  }
}

function decodeSafely(decode: ReturnType<typeof redecoder>, raw: string, setup: string): Decoded {
  try {
    return decode(Buffer.from(raw, 'hex'), Buffer.from(setup, 'hex'))
  } catch (error) {
    return { fault: faultOf(error), message: messageOf(error) }
  }
}

function differs({ value, quality, recorded, recordedQuality }: ComparedRow): boolean {
  return value !== recorded || quality !== recordedQuality
}

function printer(isJson: boolean, isDiff: boolean, { out }: CommandContext): (row: ComparedRow) => void {
  if (!isJson) out.write(`at,device,channel,value,unit,quality${isDiff ? ',recorded,recorded_quality' : ''}\n`)
  return ({ recorded, recordedQuality, ...row }) => {
    if (isJson) {
      out.write(`${JSON.stringify(isDiff ? { ...row, recorded, recordedQuality } : row)}\n`)
      return
    }
    const { at, device, channel, value, unit, quality } = row
    const cells = [at, device, channel, value, unit, quality, ...(isDiff ? [recorded, recordedQuality] : [])]
    out.write(`${cells.map(csvCell).join(',')}\n`)
  }
}

/** RFC 4180. */
function csvCell(value: string | number | null): string {
  const text = value === null ? '' : String(value)
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
