/** `node dist/hub.js read`: what a device says now, and from which bytes. */
import { isDeepStrictEqual } from 'node:util'
import { TelemetryError } from '#core/errors/telemetry-error'
import { QUALITY_NAMES } from '#core/model/quality'
import { placeOf } from '../../hub/buses/bus-settings.js'
import { type HexTransaction, hexOf, hexTransaction, isoOf } from '../../hub/devices/hex-transaction.js'
import type { Acquisition, BusTransaction } from '../../hub/devices/observation.js'
import { isFault } from '../../hub/drivers/contract/decoded.js'
import { type CommandContext, EXIT, type ExitCode, writeJson } from '../command-context.js'
import { type CommandFlag, flagLines, parseCommandLine } from '../command-line.js'
import { bold, dim, type Output, table } from '../terminal.js'
import { explainer, type Step } from './decode-steps.js'
import { transactionLine } from './hex-log.js'
import { explainBusy } from './running-hub.js'
import { DEVICE_FLAGS, type WantedDevice, wantedDevices } from './wanted-device.js'
import { type StoredReading, watchDevices } from './watched-device.js'

const FLAGS: readonly CommandFlag[] = [
  { name: 'count', short: 'n', value: 'N', help: 'so many readings (1)' },
  { name: 'explain', help: 'from the bytes on the wire to the values, step by step' },
  { name: 'raw', help: 'the bytes of each reading, too' },
  ...DEVICE_FLAGS,
  { name: 'json', help: 'JSON, for programs' },
]

const HELP = `node dist/hub.js read DEVICE [flags]
node dist/hub.js read --driver NAME --bus WHERE [flags]

Reads one device as the hub would, and prints what it says. Nothing is stored.

${flagLines(FLAGS)}
Exit code: 0 read, 1 the device could not be read, 2 the command line or the configuration is wrong.
`

interface ReadValue {
  channel: string
  value: number
  unit: string
  quality: string
}

interface Reading {
  device: string
  at: string
  /** As the driver gives them. */
  values: ReadValue[]
  /** As the hub stores them: unit, calibration, checks and filters of the channels applied. */
  stored: ReadValue[]
  raw?: string
  setup?: string
  wire?: readonly HexTransaction[]
  steps?: readonly Step[]
}

export async function runRead(argv: readonly string[], context: CommandContext): Promise<ExitCode> {
  const line = parseCommandLine(argv, FLAGS, 'See node dist/hub.js read --help.')
  const { positionals, values } = line
  if (values.help === true) {
    context.out.write(HELP)
    return EXIT.ok
  }
  if (positionals.length > 1) throw new TelemetryError('TLM_OPTIONS_INVALID', 'read: give one device.')
  const count = countOf(values.count)
  const { devices, hub } = await wantedDevices(positionals, line, context)
  const [device] = devices
  const reader = new Reader(device!, count, { isRaw: values.raw === true, isExplained: values.explain === true })
  const isJson = values.json === true
  if (!isJson) reader.onReading = (reading) => print(reading, device!, context)
  const signal = AbortSignal.any([context.signal, reader.done])
  const watch = { everyMs: hub.everyMs, signal, observer: reader, onStored: reader.stored }
  await watchDevices(devices, watch).catch(async (error) => {
    throw await explainBusy(error, hub.http, device!.name)
  })
  if (isJson) writeJson(context, reader.readings)
  return reader.readings.length > 0 ? EXIT.ok : EXIT.failed
}

class Reader {
  readonly readings: Reading[] = []
  onReading: (reading: Reading) => void = () => {}
  readonly #device: WantedDevice
  readonly #count: number
  readonly #shows: { isRaw: boolean; isExplained: boolean }
  readonly #end = new AbortController()
  readonly #explain: ReturnType<typeof explainer>
  #transactions: BusTransaction[] = []
  #held: Reading[] = []

  constructor(device: WantedDevice, count: number, shows: { isRaw: boolean; isExplained: boolean }) {
    this.#device = device
    this.#count = count
    this.#shows = shows
    this.#explain = explainer(device.config)
  }

  get done(): AbortSignal {
    return this.#end.signal
  }

  transaction(transaction: BusTransaction): void {
    if (this.#shows.isExplained) this.#transactions.push(transaction)
  }

  acquisition(acquisition: Acquisition): void {
    const { decoded, raw, setup, takenAtUs } = acquisition
    const wire = this.#transactions.splice(0)
    if (decoded === undefined || isFault(decoded)) return
    const steps = this.#shows.isExplained ? this.#explain(acquisition) : []
    const { config, name } = this.#device
    if (config.driver.kind === 'source') return
    const channels = config.driver.channels(config.options)
    for (const [at, { ageUs, values, quality }] of decoded.entries()) {
      const isLast = at === decoded.length - 1
      const named = channels.map(({ name: channel, unit }, i) => ({
        channel,
        value: values[i]!,
        unit,
        quality: QUALITY_NAMES[quality?.[i] ?? 0]!,
      }))
      this.#hold({
        device: name,
        at: isoOf(takenAtUs - ageUs),
        stored: [],
        values: named.filter(({ value }) => !Number.isNaN(value)),
        ...(this.#shows.isRaw || this.#shows.isExplained ? { raw: hexOf(raw) } : {}),
        ...(this.#shows.isExplained && isLast ? { setup: hexOf(setup), wire: wire.map(hexTransaction), steps } : {}),
      })
    }
  }

  readonly stored = (device: string, { takenAtUs, values, quality }: StoredReading): void => {
    const at = isoOf(takenAtUs)
    const named = values.map((value) => ({ ...value, quality: QUALITY_NAMES[quality]! }))
    const held = this.#held.find((reading) => reading.at === at)
    if (held !== undefined) held.stored.push(...named)
    else if (this.#device.config.driver.kind === 'source') this.#hold({ device, at, values: named, stored: named })
  }

  /** What is stored of it is told next, before anything else happens. */
  #hold(reading: Reading): void {
    if (this.#held.push(reading) > 1) return
    setImmediate(() => {
      for (const held of this.#held.splice(0)) this.#take(held)
    })
  }

  #take(reading: Reading): void {
    if (this.readings.length >= this.#count) return
    this.readings.push(reading)
    this.onReading(reading)
    if (this.readings.length >= this.#count) this.#end.abort()
  }
}

function print(
  { at, values, stored, raw, setup, wire, steps }: Reading,
  device: WantedDevice,
  { out }: CommandContext,
): void {
  const { place, driver } = device.config
  const where = place === undefined ? '' : ` on ${placeOf(place.bus.settings)}`
  out.write(`${bold(device.name, out)} (${driver.manifest.name}${where})  ${dim(at, out)}\n`)
  if (wire !== undefined) {
    for (const transaction of wire) out.write(`  ${transactionLine(transaction)}\n`)
    out.write(`  setup  ${setup || 'none'}\n`)
  }
  if (raw !== undefined) out.write(`  raw    ${raw}\n`)
  if (steps !== undefined && steps.length > 0) {
    const rows = steps.map(({ name, value, formula }) => ['', name, String(value), formula ?? ''])
    out.write(
      table([{ title: '' }, { title: 'STEP' }, { title: 'VALUE', align: 'right' }, { title: 'FROM' }], rows, out),
    )
  }
  const plain = isDeepStrictEqual(
    new Map(values.map((value) => [value.channel, value])),
    new Map(stored.map((value) => [value.channel, value])),
  )
  out.write(valueTable(values, out))
  if (plain) return
  out.write('  as the hub stores it:\n')
  out.write(stored.length === 0 ? '  nothing, its channels hold it back\n' : valueTable(stored, out))
}

function valueTable(values: readonly ReadValue[], out: Output): string {
  const rows = values.map(({ channel, value, unit, quality }) => ['', channel, shown(value), unit, quality])
  const columns = [
    { title: '' },
    { title: 'CHANNEL' },
    { title: 'VALUE', align: 'right' as const },
    { title: 'UNIT' },
    { title: 'QUALITY' },
  ]
  return table(columns, rows, out)
}

/** Seven digits: no sensor has more. */
function shown(value: number): string {
  return String(Number(value.toPrecision(7)))
}

function countOf(written: string | boolean | undefined): number {
  if (written === undefined) return 1
  if (/^[1-9]\d{0,5}$/.test(String(written))) return Number(written)
  throw new TelemetryError('TLM_OPTIONS_INVALID', `-n must be a whole number from 1 to 999999, not "${written}".`)
}
