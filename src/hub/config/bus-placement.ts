/** Where a device is on its bus. */
import { basename } from 'node:path'
import { didYouMean } from '#core/options/did-you-mean'
import { type BusConfig, type BusSettings, placeOf } from '../buses/bus-settings.js'
import type { AnyPolledDriver, AnyStreamDriver } from '../drivers/contract/driver-module.js'
import type { Buses, UnnamedBus } from './bus-schemas.js'

/** A device's place, as it runs. */
export interface Placement {
  /** Of devices on files without a bus of their own name, empty: each has one for itself. */
  readonly bus: BusConfig
  /** I2C only. */
  readonly address?: number
  /** Of one call. Milliseconds. */
  readonly timeoutMs: number
  readonly keepRaw: boolean
  /** What the chip is clocked with, Hz; 0 on lines and files. */
  readonly clockHz: number
}

/** What is wrong with a key of a device or a bus, and what to do. */
export interface PlacementProblem {
  readonly path: readonly string[]
  readonly reason: string
  readonly fix: string
  readonly input: unknown
}

export interface Written {
  /** A name, a bus, or absent. */
  readonly bus: { readonly name: string } | UnnamedBus | undefined
  readonly address: number | undefined
  readonly timeout: number | undefined
  readonly every: number | undefined
  readonly keepRaw: boolean
}

export type BusDriver = AnyPolledDriver | AnyStreamDriver

/** For answers of devices of each kind; a one-wire thermometer converts for most of a second while its file is read. */
const TIMEOUT_MS = { i2c: 500, spi: 500, serial: 500, tcp: 1000, file: 5000 } as const
const DEFAULT_ROOT = '/sys'

/**
 * One device on its bus; `undefined` after problems, or when its bus is wrong where it is written.
 *
 * @throws what the driver throws of its options
 */
export function placeDevice(
  driver: BusDriver,
  options: Record<string, unknown>,
  written: Written,
  buses: Buses,
): { place: Placement | undefined; problems: PlacementProblem[] } {
  const problems: PlacementProblem[] = []
  const refuse = (path: string[], reason: string, fix: string, input: unknown) => {
    problems.push({ path, reason, fix, input })
  }
  // Whatever a driver cannot make of its options it throws here, and not when the hub runs.
  driver.channels(options)
  if (driver.kind === 'polled') driver.cost(options)
  checkEvery(driver, options, written.every, refuse)
  const bus = findBus(driver, written.bus, buses, refuse)
  if (bus === undefined) return { place: undefined, problems }
  const { manifest } = driver
  const { settings } = bus
  if (!manifest.buses.includes(settings.kind)) {
    const can = manifest.buses.join(' or ')
    refuse(
      ['bus'],
      `${bus.name || 'the bus'} is of type ${settings.kind}, driver ${manifest.name} needs ${can}`,
      `name a bus of type ${can}`,
      bus.name,
    )
    return { place: undefined, problems }
  }
  const address = addressOn(driver, settings, written.address, refuse)
  const { clockHz, timeoutMs } = {
    clockHz: clockOf(driver, settings),
    timeoutMs: written.timeout ?? TIMEOUT_MS[settings.kind],
  }
  const { maxClockHz } = manifest
  if (settings.kind === 'i2c' && maxClockHz !== undefined && settings.clockHz > maxClockHz) {
    const fast = `${bus.name} runs at ${hertz(settings.clockHz)}, ${manifest.name} can do ${hertz(maxClockHz)} at most`
    refuse(
      ['bus'],
      fast,
      'slow the bus down (dtparam=i2c_arm_baudrate, and its speed here), or use another bus',
      bus.name,
    )
  }
  const place = { bus, ...(address === undefined ? {} : { address }), timeoutMs, keepRaw: written.keepRaw, clockHz }
  return { place: problems.length === 0 ? place : undefined, problems }
}

type Refuse = (path: string[], reason: string, fix: string, input: unknown) => void

function checkEvery(driver: BusDriver, options: Record<string, unknown>, every: number | undefined, refuse: Refuse) {
  if (every === undefined || driver.kind !== 'polled') return
  const shortest = driver.shortestEveryMs(options)
  if (every >= shortest) return
  const reason = `${driver.manifest.name} with these options needs at least ${shortest} ms between readings`
  refuse(['every'], reason, `write ${shortest}ms or more`, every)
}

function findBus(driver: BusDriver, written: Written['bus'], buses: Buses, refuse: Refuse): BusConfig | undefined {
  const { manifest } = driver
  if (written === undefined) {
    if (manifest.buses.includes('file')) return { name: '', settings: { kind: 'file', root: DEFAULT_ROOT }, budget: 1 }
    refuse(
      ['bus'],
      `driver ${manifest.name} needs a bus (${manifest.buses.join(' or ')})`,
      'add bus: and the name of one below buses',
      undefined,
    )
    return undefined
  }
  if ('settings' in written) return { name: inlineName(written.settings), ...written }
  if (buses.has(written.name)) return buses.get(written.name)
  const known = [...buses.keys()]
  const near = didYouMean(written.name, known)
  const fix = near ? `did you mean ${near}?` : `add it below buses; there are: ${known.join(', ') || 'none'}`
  refuse(['bus'], `there is no bus ${written.name}`, fix, written.name)
  return undefined
}

/** What an inline bus is called: two devices that write the same one share it. */
function inlineName(settings: BusSettings): string {
  switch (settings.kind) {
    case 'file':
      return ''
    case 'tcp':
      return placeOf(settings)
    case 'serial':
      return 'path' in settings.at ? basename(settings.at.path) : Object.values(settings.at.match).join('-')
    default:
      return basename(settings.path)
  }
}

function addressOn(driver: BusDriver, settings: BusSettings, written: number | undefined, refuse: Refuse) {
  const { name, addresses } = driver.manifest
  if (settings.kind !== 'i2c') {
    if (written !== undefined) refuse(['address'], 'only devices on an I2C bus have one', 'remove it', written)
    return undefined
  }
  const known = addresses?.map(hex).join(', ')
  if (written === undefined) {
    if (addresses?.[0] === undefined) refuse(['address'], `driver ${name} needs one`, 'add address: 0x..', undefined)
    return addresses?.[0]
  }
  if (addresses !== undefined && !addresses.includes(written)) {
    refuse(['address'], `${hex(written)} is none that ${name} can have`, `write one of ${known}`, written)
  }
  return written
}

function clockOf({ manifest }: BusDriver, settings: BusSettings): number {
  if (settings.kind !== 'i2c' && settings.kind !== 'spi') return 0
  return Math.min(settings.clockHz, manifest.maxClockHz ?? Number.POSITIVE_INFINITY)
}

/** `0x76` */
export function hex(address: number): string {
  return `0x${address.toString(16).padStart(2, '0')}`
}

function hertz(hz: number): string {
  return hz >= 1e6 ? `${hz / 1e6} MHz` : `${hz / 1e3} kHz`
}
