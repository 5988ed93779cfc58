/** Which device a command means: one of the configuration, or one that its flags describe. */
import { isAbsolute } from 'node:path'
import { parse } from 'yaml'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { type ConfigSource, type ConfigTree, isTree } from '#core/options/config-source'
import { didYouMean } from '#core/options/did-you-mean'
import { loadDrivers } from '../../hub/config/driver-catalogue.js'
import type { DeviceConfig } from '../../hub/config/driver-schemas.js'
import { type HubOptions, readHubOptions } from '../../hub/config/hub-options.js'
import type { CommandContext } from '../command-context.js'
import type { CommandFlag, CommandLine } from '../command-line.js'

/** Flags that describe a device, or change how one of the configuration is reached. */
export const DEVICE_FLAGS: readonly CommandFlag[] = [
  { name: 'driver', value: 'NAME', help: 'read with this driver, no configuration is needed' },
  { name: 'bus', value: 'WHERE', help: '/dev/i2c-1, /dev/ttyUSB0, HOST:PORT, a folder, or the name of a bus' },
  { name: 'address', value: '0x76', help: 'I2C address' },
  { name: 'baud', value: 'N', help: 'of a serial line (9600)' },
  { name: 'format', value: '8N1', help: 'of a serial line (8N1)' },
  { name: 'options', value: 'YAML', help: "the driver's own keys, such as '{ oversampling: 16x }'" },
]

export interface WantedDevice {
  readonly name: string
  readonly config: DeviceConfig
}

export interface WantedDevices {
  readonly devices: readonly WantedDevice[]
  readonly hub: HubOptions
}

/** The name of a device that flags describe. */
const UNNAMED = 'device'

/**
 * @param names of the command line; empty is taken only together with `--driver`
 * @throws TLM_OPTIONS_INVALID there is no such device, or what is written for it is wrong
 */
export async function wantedDevices(
  names: readonly string[],
  { values, programArgs }: Pick<CommandLine, 'values' | 'programArgs'>,
  { env }: Pick<CommandContext, 'env'>,
): Promise<WantedDevices> {
  const described = await describedDevice(values)
  if (described !== undefined) {
    const [name = UNNAMED, ...more] = names
    if (more.length > 0) throw new TelemetryError('TLM_OPTIONS_INVALID', 'With --driver there is one device only.')
    const hub = await optionsWith(programArgs, env, asSource({ devices: { [name]: described } }))
    return { devices: [{ name, config: hub.devices[name]! }], hub }
  }
  if (names.length === 0) {
    const fix = 'Name a device of the configuration (--config FILE), or describe one with --driver and --bus.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `Which device? ${fix}`)
  }
  const hub = await optionsWith(programArgs, env)
  return { devices: names.map((name) => ({ name, config: deviceOf(name, hub, programArgs) })), hub }
}

/** The hub's options. @throws TLM_OPTIONS_INVALID */
export async function optionsWith(
  programArgs: readonly string[],
  env: CommandContext['env'],
  besides?: ConfigSource,
): Promise<HubOptions> {
  const command = await readHubOptions(programArgs, env, besides)
  if (command.kind === 'run') return command.options
  throw new TelemetryError('TLM_INVARIANT_BROKEN', 'The options of a command print nothing.')
}

/** Where a bus is, by how it is written; a name stays a name. */
export function busOf(where: string, { baud, format }: CommandLine['values'] = {}): ConfigTree | string {
  const line = { ...(baud === undefined ? {} : { baud }), ...(format === undefined ? {} : { format }) }
  if (/^\/dev\/i2c-/.test(where)) return { type: 'i2c', path: where }
  if (/^\/dev\/spidev/.test(where)) return { type: 'spi', path: where }
  if (/^\/(sys|proc)\b/.test(where)) return { type: 'file', root: where }
  if (isAbsolute(where)) return { type: 'serial', path: where, ...line }
  const tcp = /^(?:\[([\da-f:]+)\]|([^\s:]+)):(\d{1,5})$/i.exec(where)
  return tcp === null ? where : { type: 'tcp', host: tcp[1] ?? tcp[2]!, port: tcp[3] }
}

/** Values of a command line as a place that options come from. */
export function asSource(values: ConfigTree): ConfigSource {
  return { values, originOf: () => 'command line', problems: [], unknownKeys: 'fail' }
}

async function describedDevice(values: CommandLine['values']): Promise<ConfigTree | undefined> {
  const { driver, bus, address } = values
  if (typeof driver !== 'string') {
    const alone = DEVICE_FLAGS.find(({ name }) => values[name] !== undefined)
    if (alone === undefined) return undefined
    throw new TelemetryError('TLM_OPTIONS_INVALID', `--${alone.name} needs --driver: see node dist/hub.js drivers.`)
  }
  return {
    driver,
    ...(typeof bus === 'string' ? { bus: await busWritten(driver, bus, values) } : {}),
    ...(address === undefined ? {} : { address }),
    ...ownKeys(values.options),
  }
}

/** Where only files are read, every path is a folder. */
async function busWritten(name: string, where: string, values: CommandLine['values']): Promise<ConfigTree | string> {
  const driver = (await loadDrivers([name])).get(name)
  const buses = driver === undefined || 'problem' in driver ? [] : driver.manifest.buses
  return buses[0] === 'file' && isAbsolute(where) ? { type: 'file', root: where } : busOf(where, values)
}

function ownKeys(written: string | boolean | undefined): ConfigTree {
  if (typeof written !== 'string') return {}
  let tree: unknown
  try {
    tree = parse(written)
  } catch (error) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `--options is no YAML: ${messageOf(error)}`)
  }
  if (isTree(tree)) return tree
  throw new TelemetryError('TLM_OPTIONS_INVALID', "--options must be keys and values, such as '{ unit_id: 3 }'.")
}

function deviceOf(name: string, { devices }: HubOptions, programArgs: readonly string[]): DeviceConfig {
  if (Object.hasOwn(devices, name)) return devices[name]!
  const known = Object.keys(devices)
  const near = didYouMean(name, known)
  const hasConfig = programArgs.some((arg) => arg.startsWith('--config='))
  const fix = near
    ? `Did you mean ${near}?`
    : hasConfig
      ? `There are: ${known.join(', ')}.`
      : 'Give the configuration with --config FILE, or describe the device with --driver and --bus.'
  throw new TelemetryError('TLM_OPTIONS_INVALID', `There is no device ${name}. ${fix}`)
}
