/** Chips on I2C buses: who answers, and which driver fits. */
import { readdir, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf } from '#core/errors/telemetry-error'
import type { BusSeat } from '../../../hub/buses/bus.js'
import { BusRegistry } from '../../../hub/buses/bus-registry.js'
import { portOn } from '../../../hub/buses/ports.js'
import { builtInDrivers, loadDrivers } from '../../../hub/config/driver-catalogue.js'
import type { AnyPolledDriver } from '../../../hub/drivers/contract/driver-module.js'
import { faultOf, readFault } from '../../../hub/drivers/contract/fault.js'
import type { ProbeFind } from '../../../hub/drivers/contract/manifest.js'
import type { I2cPort } from '../../../hub/drivers/contract/ports.js'
import { type Find, hexAddress, type ScanResult } from './find.js'

/** Below and above are addresses that the standard reserves. */
const FIRST_ADDRESS = 0x08
const LAST_ADDRESS = 0x77
/** Of one call. A bus that hangs costs it once. Milliseconds. */
const TIMEOUT_MS = 300

export interface I2cScanOptions {
  /** Such as `/dev/i2c-1`; absent: all that there are. */
  readonly path: string | undefined
  readonly sys: string
  readonly dev: string
}

const TOOLS = {
  pause: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
  fault: readFault,
}

/** Never throws. */
export async function scanI2c({ path, sys, dev }: I2cScanOptions): Promise<ScanResult> {
  const drivers = await i2cDrivers()
  const names = path === undefined ? (await readdir(dev).catch(() => [])).filter((name) => /^i2c-\d+$/.test(name)) : []
  const paths = path === undefined ? names.sort().map((name) => join(dev, name)) : [path]
  const finds: Find[] = []
  const problems: string[] = []
  for (const bus of paths) {
    try {
      finds.push(...(await scanBus(bus, drivers, sys)))
    } catch (error) {
      problems.push(messageOf(error))
    }
  }
  return { finds, problems }
}

/** Those whose chips tell what they are first: a certain answer ends the search at an address. */
async function i2cDrivers(): Promise<AnyPolledDriver[]> {
  const drivers = [...(await loadDrivers(builtInDrivers())).values()]
  const onI2c = drivers.flatMap((driver) =>
    !('problem' in driver) && driver.kind === 'polled' && driver.manifest.buses.includes('i2c') ? [driver] : [],
  )
  return onI2c.sort((a, b) => Number(b.manifest.probe?.isCertain ?? 0) - Number(a.manifest.probe?.isCertain ?? 0))
}

/** @throws TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING, TLM_READ_FAILED the bus hangs */
async function scanBus(path: string, drivers: readonly AnyPolledDriver[], sys: string): Promise<Find[]> {
  const settings = { kind: 'i2c', path, clockHz: 100_000 } as const
  const seat = new BusRegistry().busFor({ name: path, settings, budget: 1 }, path).join('hub scan', TIMEOUT_MS)
  await seat.bus.open(seat.user)
  const finds: Find[] = []
  try {
    for (let address = FIRST_ADDRESS; address <= LAST_ADDRESS; address++) {
      const find = await lookAt(seat, address, drivers, sys)
      if (find !== undefined) finds.push(find)
    }
  } finally {
    await seat.bus.close(seat.user)
  }
  return finds
}

async function lookAt(
  seat: BusSeat,
  address: number,
  drivers: readonly AnyPolledDriver[],
  sys: string,
): Promise<Find | undefined> {
  const { settings } = seat.bus
  const path = settings.kind === 'i2c' ? settings.path : ''
  const bus = basename(path)
  const id = `${bus}/${hexAddress(address)}`
  const held = await kernelDriver(sys, bus, address)
  if (held !== undefined) return heldFind(id, held)
  const port = portOn(seat, { address }) as I2cPort
  const fitting = drivers.filter(({ manifest }) => manifest.addresses?.includes(address))
  const found = await answerOf(port, fitting)
  if (found === 'held') return heldFind(id, undefined)
  if (found === undefined) return undefined
  const { driver, seen } = found
  if (driver === undefined) return { id, kind: 'i2c', what: seen, certainty: 'possible' }
  const lines = {
    bus: { name: bus, keys: { type: 'i2c', path } },
    device: { driver: driver.manifest.name, address },
  }
  const certainty = seen.isCertain ? 'certain' : 'likely'
  return { id, kind: 'i2c', what: seen.seen, certainty, driver: driver.manifest.name, lines }
}

type Answer =
  | { readonly driver: AnyPolledDriver; readonly seen: ProbeFind }
  | { readonly driver: undefined; readonly seen: string }

/** @throws TLM_READ_FAILED the bus hangs, so that nothing can be said of it */
async function answerOf(port: I2cPort, drivers: readonly AnyPolledDriver[]): Promise<Answer | 'held' | undefined> {
  let isThere = false
  for (const driver of drivers) {
    const { probe } = driver
    if (probe === undefined) continue
    const seen = await ask(() => probe(port, TOOLS) as Promise<ProbeFind | undefined>)
    if (seen === 'held') return 'held'
    if (seen === 'nobody') continue
    isThere = true
    if (seen !== undefined) return { driver, seen }
  }
  // Some chips refuse a read that no command came before, so it is the last thing tried, and not the only one.
  if (!isThere) {
    const read = await ask(() => port.read(1))
    if (read === 'held') return 'held'
    isThere = read !== 'nobody'
  }
  if (!isThere) return undefined
  return { driver: undefined, seen: whatItCouldBe(drivers) }
}

/** Of what answers, and is none of those that could be asked. */
function whatItCouldBe(drivers: readonly AnyPolledDriver[]): string {
  const names = (list: readonly AnyPolledDriver[]) => list.map(({ manifest }) => manifest.name).join(', ')
  const asked = names(drivers.filter(({ probe }) => probe !== undefined))
  const others = names(drivers.filter(({ probe }) => probe === undefined))
  if (others !== '') return `answers; could be ${others}, which a scan cannot tell`
  return asked === '' ? 'answers; no driver has this address' : `answers, but not as the chips of ${asked} do`
}

async function ask<T>(question: () => Promise<T>): Promise<T | 'nobody' | 'held'> {
  try {
    return await question()
  } catch (error) {
    switch (faultOf(error)) {
      case 'nack':
        return 'nobody'
      case 'busy':
        return 'held'
      default:
        throw error
    }
  }
}

/** Nothing is sent to a chip that the kernel has. @returns the driver's name */
async function kernelDriver(sys: string, bus: string, address: number): Promise<string | undefined> {
  const number = bus.replace('i2c-', '')
  const device = `${number}-${address.toString(16).padStart(4, '0')}`
  return readlink(join(sys, 'bus/i2c/devices', device, 'driver')).then(
    (target) => basename(target),
    () => undefined,
  )
}

function heldFind(id: string, driver: string | undefined): Find {
  const name = driver === undefined ? 'a driver of the kernel' : `the kernel's driver ${driver}`
  return { id, kind: 'i2c', what: `held by ${name}: read it as iio or hwmon (hub scan file)`, certainty: 'held' }
}
