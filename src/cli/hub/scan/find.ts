/** What a scan finds, and what to write about it. */
import { stringify } from 'yaml'

/**
 * `certain` the chip says what it is · `likely` it answers as the driver's chip does, others may, too ·
 * `possible` only its address or its place fits · `held` a driver of the kernel has it.
 */
export type Certainty = 'certain' | 'likely' | 'possible' | 'held'

export interface Find {
  /** What `--add` takes, e.g. `i2c-1/0x76`. */
  readonly id: string
  readonly kind: 'serial' | 'i2c' | 'spi' | 'file' | 'modbus'
  /** In words. */
  readonly what: string
  readonly certainty: Certainty
  /** Absent: nothing fits, or the user must say. */
  readonly driver?: string
  /** What to write below `buses` and `devices`. */
  readonly lines?: FindLines
}

export interface FindLines {
  /** The bus; without keys, the configuration has it already. */
  readonly bus?: { readonly name: string; readonly keys: Keys }
  /** Of the device; its `bus` is added when there is one. Absent: what is connected is not known. */
  readonly device?: Keys
}

export type Keys = Readonly<Record<string, unknown>>

export interface ScanResult {
  readonly finds: readonly Find[]
  /** What could not be looked at, in sentences. */
  readonly problems: readonly string[]
}

/** `{ driver: bme280, bus: i2c-1, address: 0x76 }` on one line. */
export function flowLine(keys: Keys): string {
  const text = stringify(keys, { collectionStyle: 'flow', lineWidth: 0 }).trim()
  return text.replace(/(\baddress: )(\d+)/, (_, key: string, value: string) => `${key}${hexAddress(Number(value))}`)
}

export function hexAddress(address: number): string {
  return `0x${address.toString(16).padStart(2, '0')}`
}

/** The lines to paste, the device under the name given. */
export function pasteLines({ bus, device }: FindLines, name: string): string[] {
  const lines: string[] = []
  if (bus !== undefined && hasKeys(bus.keys)) lines.push('buses:', `  ${bus.name}: ${flowLine(bus.keys)}`)
  if (device !== undefined) lines.push('devices:', `  ${name}: ${flowLine(deviceKeys({ bus, device }))}`)
  return lines
}

export function hasKeys(keys: Keys): boolean {
  return Object.keys(keys).length > 0
}

/** The device's keys, with its bus behind the driver. */
export function deviceKeys({ bus, device = {} }: { bus?: FindLines['bus'] | undefined; device?: Keys }): Keys {
  const { driver, ...rest } = device
  return { driver, ...(bus === undefined ? {} : { bus: bus.name }), ...rest }
}
