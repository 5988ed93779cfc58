/** Values that drivers of the kernel show as files: shared by `linux-iio` and `hwmon`. */
import type { Decoded, Note } from '../contract/decoded.js'
import type { FaultKind } from '../contract/fault.js'
import type { Channel } from '../contract/manifest.js'
import type { DriverTools } from '../contract/polled-driver.js'
import type { FilePort } from '../contract/ports.js'

/** What the kernel's documents say of one kind of input. */
export interface InputKind {
  readonly quantity: string
  /** UCUM, of what we give. */
  readonly unit: string
  /** From the kernel's unit to ours. */
  readonly factor: number
}

/** One input as it was found: its file, and value = (number + offset) × scale, in the kernel's unit. */
export interface FoundInput {
  readonly name: string
  readonly file: string
  readonly offset: number
  readonly scale: number
}

/** The files of a device, found once and kept as the device's setup. */
export interface FoundDevice {
  readonly folder: string
  readonly inputs: readonly FoundInput[]
}

/**
 * The folder of the device that is meant: the one named `device`, or the only one whose file `name` says `chip`.
 *
 * @param parent such as `class/hwmon`
 * @param prefix of the folders that are devices
 */
export async function findFolder(
  port: FilePort,
  tools: DriverTools,
  where: { parent: string; prefix: string; device?: string; chip?: string },
): Promise<string> {
  const { parent, prefix, device, chip } = where
  const folders = (await port.list(parent)).filter((name) => name.startsWith(prefix))
  const chips = await Promise.all(folders.map((folder) => chipOf(port, `${parent}/${folder}`)))
  const seen = folders.map((folder, at) => `${folder} (${chips[at]})`).join(', ') || 'none'
  const place = `${port.root}/${parent}`
  const wanted = folders.filter(
    (folder, at) => (device ?? folder) === folder && (chip === undefined || chips[at] === chip),
  )
  if (wanted.length === 1) return `${parent}/${wanted[0]}`
  const what = [device, chip].filter((part) => part !== undefined).join(' ') || 'a device'
  if (wanted.length > 1) {
    throw tools.fault('identity', `Several could be ${what} in ${place}: ${seen}. Say which by "device".`)
  }
  const fix = 'Load the kernel driver of the sensor (dtoverlay, modprobe), or correct "chip" and "device".'
  throw tools.fault(folders.length === 0 ? 'missing' : 'identity', `No ${what} in ${place}; there: ${seen}. ${fix}`)
}

async function chipOf(port: FilePort, folder: string): Promise<string> {
  const names = await port.list(folder)
  return names.includes('name') ? (await port.read(`${folder}/name`)).trim() : 'without name'
}

/** One line an input: what its file says. */
export async function acquireInputs(port: FilePort, setup: Uint8Array): Promise<Uint8Array> {
  const { folder, inputs } = parseSetup(setup)
  const lines: string[] = []
  for (const { file } of inputs) lines.push((await port.read(`${folder}/${file}`)).trim())
  return Buffer.from(lines.join('\n'))
}

export function setupBytes(device: FoundDevice): Uint8Array {
  return Buffer.from(JSON.stringify(device))
}

/** @throws setup, by `fault`: bytes that {@link setupBytes} did not make, as a damaged recording has */
export function readSetup(bytes: Uint8Array, fault: (kind: FaultKind, message: string) => Error): FoundDevice {
  try {
    const { folder, inputs } = parseSetup(bytes)
    const isWhole = inputs.every(({ offset, scale }) => Number.isFinite(offset) && Number.isFinite(scale))
    if (typeof folder === 'string' && isWhole) return { folder, inputs }
  } catch {
    // Said below.
  }
  throw fault('setup', 'The setup of the device cannot be read: record it anew.')
}

function parseSetup(bytes: Uint8Array): FoundDevice {
  return JSON.parse(Buffer.from(bytes).toString()) as FoundDevice
}

/** @param factors from the kernel's unit to ours, one an input */
export function decodeInputs(raw: Uint8Array, device: FoundDevice, factors: readonly number[], note?: Note): Decoded {
  const lines = Buffer.from(raw).toString('latin1').split('\n')
  if (lines.length !== device.inputs.length) {
    const message = `${lines.length} values for ${device.inputs.length} inputs: see that the files are of this device.`
    return { fault: 'decode', message }
  }
  const values = new Float64Array(lines.length)
  for (const [at, { name, file, offset, scale }] of device.inputs.entries()) {
    const number = lines[at] === '' ? Number.NaN : Number(lines[at])
    if (!Number.isFinite(number)) {
      return {
        fault: 'decode',
        message: `${file} says ${JSON.stringify(lines[at]!.slice(0, 40))}, which is no number.`,
      }
    }
    values[at] = (number + offset) * scale * factors[at]!
    note?.(file, number)
    note?.(name, values[at]!, `(${number} + ${offset}) × ${scale} × ${factors[at]}`)
  }
  return [{ ageUs: 0, values }]
}

/** `temp1` is of kind `temp`, `accel_x` of kind `accel`: the longest kind that the name begins with. */
export function kindOf<Kind>(kinds: Readonly<Record<string, Kind>>, input: string): Kind | undefined {
  const fitting = Object.keys(kinds).filter(
    (kind) => input.startsWith(kind) && /^(\d*|\d*[-_].*)$/.test(input.slice(kind.length)),
  )
  const longest = fitting.sort((a, b) => b.length - a.length)[0]
  return longest === undefined ? undefined : kinds[longest]
}

export function channelsOf(inputs: readonly string[], kinds: Readonly<Record<string, InputKind>>): Channel[] {
  return inputs.map((name) => {
    const { quantity, unit } = kindOf(kinds, name) ?? { quantity: name, unit: '' }
    return { name: name.replaceAll('-', '_'), quantity, unit }
  })
}
