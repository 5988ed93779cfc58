/** Options of buses as they are written in a file: below `buses`, or inline at a device. */
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { type ConfigSource, type ConfigTree, isTree } from '#core/options/config-source'
import { frequencyHz, group, integer, share, text } from '#core/options/fields'
import type { BusConfig, BusSettings, SerialFormat, SerialMatch } from '../buses/bus-settings.js'
import { BUS_KINDS } from '../drivers/contract/manifest.js'

/** Room is left for retries, and for what a budget does not know. */
const DEFAULT_BUDGET = 0.7

const budget = share(0.01, 1).default(DEFAULT_BUDGET)

const I2C = {
  type: z.literal('i2c'),
  path: path('/dev/i2c-1'),
  /** The kernel sets it; here for the budget. */
  speed: frequencyHz(1000, 5_000_000).default(100_000),
  budget,
}
const SPI = {
  type: z.literal('spi'),
  path: path('/dev/spidev0.0'),
  speed: frequencyHz(1000, 200_000_000).default(1_000_000),
  mode: integer(0, 3).default(0),
  budget,
}
const SERIAL = {
  type: z.literal('serial'),
  path: path('/dev/serial/by-id/usb-FTDI_FT232R_A50285BI').optional(),
  match: group({
    usb_serial: text(128).optional(),
    vid: usbId().optional(),
    pid: usbId().optional(),
    port: text(64).optional(),
  }).optional(),
  baud: integer(50, 4_000_000).default(9600),
  format: serialFormat().default({ dataBits: 8, parity: 'none', stopBits: 1 }),
  budget,
}
const TCP = { type: z.literal('tcp'), host: text(255), port: integer(1, 65_535).default(502), budget }
const FILE = { type: z.literal('file'), root: path('/sys/bus/iio/devices').default('/sys') }

/** One bus, checked. */
export const busSchema = z.discriminatedUnion(
  'type',
  [
    z.strictObject(I2C).transform(({ path, speed, budget }) => busOf({ kind: 'i2c', path, clockHz: speed }, budget)),
    z
      .strictObject(SPI)
      .transform(({ path, speed, mode, budget }) =>
        busOf({ kind: 'spi', path, clockHz: speed, mode: mode as 0 | 1 | 2 | 3 }, budget),
      ),
    z.strictObject(SERIAL).transform(({ path, match, baud, format, budget }, context) => {
      const wanted = Object.values(match ?? {}).some((value) => value !== undefined)
      if ((path === undefined) === !wanted) {
        const found = path === undefined ? 'neither' : 'both'
        context.addIssue({
          code: 'custom',
          message: `expected either path or match (usb_serial, vid, pid, port), got ${found}`,
        })
        return z.NEVER
      }
      const at = path === undefined ? { match: matchOf(match!) } : { path }
      return busOf({ kind: 'serial', at, baudRate: baud, ...format }, budget)
    }),
    z.strictObject(TCP).transform(({ host, port, budget }) => busOf({ kind: 'tcp', host, port }, budget)),
    z.strictObject(FILE).transform(({ root }) => busOf({ kind: 'file', root }, 1)),
  ],
  { error: `expected one of ${BUS_KINDS.join(', ')}` },
)

/** A bus without the name that it gets from where it is written. */
export type UnnamedBus = Omit<BusConfig, 'name'>

export const busesSchema = z.record(z.string().min(1).max(64), busSchema).default({})

/** What is written for a bus: settings, or `undefined` when they are wrong, which is reported where they are written. */
export type Buses = ReadonlyMap<string, BusConfig | undefined>

/** The buses that the sources name, for devices to refer to. The first source wins, key by key. */
export function readBuses(sources: readonly ConfigSource[]): Buses {
  const written = new Map<string, ConfigTree>()
  for (const { values } of sources.toReversed()) {
    if (!isTree(values.buses)) continue
    for (const [name, bus] of Object.entries(values.buses)) {
      if (isTree(bus)) written.set(name, { ...written.get(name), ...bus })
    }
  }
  return new Map(
    [...written].map(([name, bus]) => {
      const { data } = busSchema.safeParse(bus)
      return [name, data === undefined ? undefined : { name, ...data }]
    }),
  )
}

function busOf(settings: BusSettings, budget: number): UnnamedBus {
  return { settings, budget }
}

function path(example: string) {
  return text(4096).refine(isAbsolute, { error: `expected an absolute path, such as ${example}` })
}

function matchOf(match: { usb_serial?: string; vid?: string; pid?: string; port?: string }): SerialMatch {
  const { usb_serial: usbSerial, vid, pid, port } = match
  return {
    ...(usbSerial === undefined ? {} : { usbSerial }),
    ...(vid === undefined ? {} : { vid }),
    ...(pid === undefined ? {} : { pid }),
    ...(port === undefined ? {} : { port }),
  }
}

/** Four hexadecimal digits as `lsusb` shows them. YAML takes `0403` for the number 403: its digits are meant. */
function usbId() {
  return z.unknown().transform((raw, context) => {
    const match = /^(?:0x)?([\da-f]{1,4})$/i.exec(String(raw).trim())
    if (match !== null) return match[1]!.toLowerCase().padStart(4, '0')
    context.addIssue({ code: 'custom', message: 'expected four hexadecimal digits, such as "0403"' })
    return z.NEVER
  })
}

const PARITIES = { N: 'none', E: 'even', O: 'odd' } as const

/** YAML takes `8E1` for the number 8 * 10^1. */
const READ_AS_NUMBER: Readonly<Record<number, string>> = {
  50: '5E1',
  60: '6E1',
  70: '7E1',
  80: '8E1',
  500: '5E2',
  600: '6E2',
  700: '7E2',
  800: '8E2',
}

/** `8N1`, `7E1`, `8N2`. */
function serialFormat() {
  return z.unknown().transform((raw, context): Omit<SerialFormat, 'baudRate'> => {
    const match = /^([5-8])([NEO])(1|1\.5|2)$/i.exec(
      (typeof raw === 'number' && READ_AS_NUMBER[raw]) || String(raw).trim(),
    )
    if (match === null) {
      context.addIssue({ code: 'custom', message: 'expected data bits, parity and stop bits, such as 8N1 or 7E1' })
      return z.NEVER
    }
    const parity = PARITIES[match[2]!.toUpperCase() as keyof typeof PARITIES]
    return { dataBits: Number(match[1]) as 8, parity, stopBits: Number(match[3]) as 1 }
  })
}
