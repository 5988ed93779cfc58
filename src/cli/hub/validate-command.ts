/** `node dist/hub.js validate`: whether a hub could run with this configuration, and what it would do. */
import { ERROR_CODES } from '#core/errors/codes'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { formatProblem } from '#core/options/config-source'
import { acquisitionMs, type BusDemand, loadOf } from '../../hub/buses/budget.js'
import { placeOf } from '../../hub/buses/bus-settings.js'
import { everyOf } from '../../hub/config/bus-cadence.js'
import type { DeviceConfig } from '../../hub/config/driver-schemas.js'
import { type HubOptions, readHubOptions } from '../../hub/config/hub-options.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { counted, table } from '../terminal.js'

const FLAGS: readonly CommandFlag[] = [{ name: 'json', help: 'JSON, for programs' }]

const HELP = `node dist/hub.js validate --config FILE [flags]

Reads the configuration as the hub does, and prints its devices, their rates and how busy they keep their buses.
No device is opened.

${flagLines(FLAGS)}
Exit code: 0 the hub could run, 2 the command line is wrong, 78 the configuration is wrong.
`

interface DeviceReport {
  device: string
  driver: string
  bus: string | undefined
  /** Empty: known only when they are seen. */
  channels: string[]
  /** Absent: the device sends when it will. */
  everyMs: number | undefined
  samplesPerSecond: number | undefined
}

interface BusReport {
  bus: string
  place: string
  /** Of its time, worst case; 0 when nobody on it is asked. */
  utilization: number
  budget: number
}

export async function runValidate(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const { positionals, values, programArgs } = parseCommandLine(argv, FLAGS, 'See node dist/hub.js validate --help.')
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  if (positionals.length > 0) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `validate: give the file with --config ${positionals[0]}.`)
  }
  let command: Awaited<ReturnType<typeof readHubOptions>>
  try {
    command = await readHubOptions(programArgs, context.env)
  } catch (error) {
    if (!(error instanceof TelemetryError) || error.code !== 'TLM_OPTIONS_INVALID') throw error
    context.err.write(`${messageOf(error)}\n`)
    return ERROR_CODES.TLM_OPTIONS_INVALID.exit
  }
  if (command.kind === 'print') return EXIT.usage
  const { options, problems } = command
  const devices = Object.entries(options.devices).map(([name, config]) => deviceReport(name, config, options))
  const buses = busReports(options)
  const warnings = [...problems.map(formatProblem), ...options.notes]
  if (values.json === true) writeJson(context, { devices, buses, warnings })
  else print(devices, buses, warnings, context)
  return EXIT.ok
}

function deviceReport(device: string, config: DeviceConfig, { everyMs }: HubOptions): DeviceReport {
  const { driver, options, place } = config
  const channels = driver.kind === 'source' ? [] : driver.channels(options).map(({ name }) => name)
  const every = driver.kind === 'polled' ? everyOf(driver, options, config.device.every, everyMs) : undefined
  return {
    device,
    driver: driver.manifest.name,
    bus: place && (place.bus.name || placeOf(place.bus.settings)),
    channels,
    everyMs: every,
    samplesPerSecond: every === undefined ? undefined : (channels.length * 1000) / every,
  }
}

function busReports({ devices, everyMs }: HubOptions): BusReport[] {
  const demands = new Map<string, BusDemand[]>()
  const buses = new Map<string, Omit<BusReport, 'utilization'>>()
  for (const [device, { driver, device: settings, options, place }] of Object.entries(devices)) {
    if (place === undefined || place.bus.settings.kind === 'file') continue
    const { bus, clockHz } = place
    buses.set(bus.name, { bus: bus.name, place: placeOf(bus.settings), budget: bus.budget })
    const onBus = demands.get(bus.name) ?? []
    demands.set(bus.name, onBus)
    if (driver.kind !== 'polled') continue
    const busyMs = acquisitionMs(driver.cost(options), bus.settings, clockHz)
    onBus.push({ device, everyMs: everyOf(driver, options, settings.every, everyMs), busyMs })
  }
  return [...buses.values()].map((bus) => {
    const onBus = demands.get(bus.bus)!
    return { ...bus, utilization: onBus.length === 0 ? 0 : loadOf(onBus, bus.budget).share }
  })
}

function print(
  devices: readonly DeviceReport[],
  buses: readonly BusReport[],
  warnings: readonly string[],
  { out, err }: CommandContext,
): void {
  const rows = devices.map(({ device, driver, bus, everyMs, samplesPerSecond, channels }) => [
    device,
    driver,
    bus ?? '-',
    everyMs === undefined ? '-' : `${everyMs} ms`,
    samplesPerSecond === undefined ? '-' : String(Number(samplesPerSecond.toPrecision(3))),
    channels.join(', ') || 'as they come',
  ])
  const columns = [
    { title: 'DEVICE' },
    { title: 'DRIVER' },
    { title: 'BUS' },
    { title: 'EVERY', align: 'right' as const },
    { title: 'SAMPLES/S', align: 'right' as const },
    { title: 'CHANNELS' },
  ]
  out.write(table(columns, rows, out))
  if (buses.length > 0) {
    const busRows = buses.map(({ bus, place, utilization, budget }) => [
      bus,
      percent(utilization),
      percent(budget),
      place,
    ])
    const busColumns = [
      { title: 'BUS' },
      { title: 'BUSY', align: 'right' as const },
      { title: 'BUDGET', align: 'right' as const },
      { title: 'WHERE' },
    ]
    out.write(`\n${table(busColumns, busRows, out)}`)
  }
  const rate = devices.reduce((sum, { samplesPerSecond = 0 }) => sum + samplesPerSecond, 0)
  const channels = devices.reduce((sum, device) => sum + device.channels.length, 0)
  const sum = `${counted(devices.length, 'device')}, ${counted(channels, 'channel')}`
  out.write(`\n${sum}, ${Number(rate.toPrecision(3))} samples/s of those that are asked.\n`)
  for (const warning of warnings) err.write(`${warning}\n`)
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`
}
