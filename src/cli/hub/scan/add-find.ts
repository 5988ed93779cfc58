/** Writes what was found into the configuration. */
import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { messageOf, TelemetryError } from '#core/errors/telemetry-error'
import { placeOf } from '../../../hub/buses/bus-settings.js'
import { readHubOptions } from '../../../hub/config/hub-options.js'
import type { CommandContext } from '../../command-context.js'
import { deviceKeys, type Find, flowLine, hasKeys } from './find.js'
import { addedLines, insertEntry } from './insert-lines.js'

/** Of a file that this command makes. */
const FILE_MODE = 0o644

/**
 * Adds the device, and its bus unless the file has it; a serial port is added as a bus. The file is replaced at once, and
 * only when the hub can read the result.
 *
 * @returns what has changed, line by line
 * @throws TLM_OPTIONS_INVALID nothing was changed
 */
export async function addFind(
  find: Find,
  name: string,
  file: string,
  { env }: Pick<CommandContext, 'env'>,
): Promise<string> {
  if (['.ini', '.conf', '.cfg'].includes(extname(file).toLowerCase())) {
    throw new TelemetryError('TLM_OPTIONS_INVALID', `--add writes YAML only, and ${file} is an INI file.`)
  }
  const { lines } = find
  if (lines === undefined) {
    const fix = 'Add it by hand with the driver that you know it needs.'
    throw new TelemetryError('TLM_OPTIONS_INVALID', `${find.id} fits no driver for sure (${find.what}). ${fix}`)
  }
  const before = await textOf(file)
  const { device } = lines
  let { bus } = lines
  let after = before
  if (bus !== undefined && hasKeys(bus.keys)) {
    const known = await knownBus(bus.keys, file, before, env)
    if (device === undefined) bus = { ...bus, name }
    if (known === undefined) after = insertEntry(after, 'buses', bus.name, flowLine(bus.keys))
    else if (device === undefined)
      throw new TelemetryError('TLM_OPTIONS_INVALID', `${find.id} is bus ${known} already.`)
    else bus = { ...bus, name: known }
  }
  if (device !== undefined) after = insertEntry(after, 'devices', name, flowLine(deviceKeys({ bus, device })))
  await replace(file, after, env)
  return addedLines(before, after)
}

/** Empty: there is no such file yet. */
async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw new TelemetryError('TLM_OPTIONS_INVALID', `--config ${file} cannot be read: ${messageOf(error)}`)
  }
}

/** The name of the bus in the file that is at the same place. @throws TLM_OPTIONS_INVALID the file is wrong already */
async function knownBus(
  keys: Readonly<Record<string, unknown>>,
  file: string,
  text: string,
  env: CommandContext['env'],
): Promise<string | undefined> {
  if (text === '') return undefined
  const command = await readHubOptions([`--config=${file}`], env)
  if (command.kind === 'print') return undefined
  const place = keys.path ?? `${keys.host}:${keys.port}`
  return Object.entries(command.options.buses).find(([, { settings }]) => placeOf(settings) === place)?.[0]
}

/** The new text stands beside the old one until the hub has read it, so that paths in it mean the same. */
async function replace(file: string, text: string, env: CommandContext['env']): Promise<void> {
  const beside = join(dirname(file), `.${randomUUID()}.yaml`)
  const mode = await stat(file).then(
    (facts) => facts.mode & 0o777,
    () => FILE_MODE,
  )
  try {
    await writeFile(beside, text, { mode })
    await readHubOptions([`--config=${beside}`], env)
    await rename(beside, file)
  } catch (error) {
    await rm(beside, { force: true })
    throw new TelemetryError('TLM_OPTIONS_INVALID', `Nothing was added: ${messageOf(error).replaceAll(beside, file)}`)
  }
}
