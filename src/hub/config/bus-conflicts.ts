/** What is wrong with devices and their buses together, each of which is right by itself. */
import { acquisitionMs, type BusDemand, loadOf } from '../buses/budget.js'
import { type BusConfig, placeOf } from '../buses/bus-settings.js'
import { type BusDriver, hex, type Placement, type PlacementProblem } from './bus-placement.js'
import type { Buses } from './bus-schemas.js'

/** Devices that are judged together. */
export interface PlacedDevice {
  readonly name: string
  readonly driver: BusDriver
  readonly options: Record<string, unknown>
  readonly place: Placement
  /** As it will be. */
  readonly everyMs: number
}

/** What is wrong with all devices together; paths begin at the top of the file. */
export function placementProblems(devices: readonly PlacedDevice[], buses: Buses): PlacementProblem[] {
  const byBus = new Map<string, PlacedDevice[]>()
  for (const device of devices) {
    const { name } = device.place.bus
    if (name !== '') byBus.set(name, [...(byBus.get(name) ?? []), device])
  }
  return [
    ...sameBusTwice(devices, buses),
    ...[...byBus.values()].flatMap((onBus) => [...conflicts(onBus), ...overload(onBus)]),
  ]
}

/** One bus under two names would have two arbiters, which know nothing of each other; two under one name, only one. */
function sameBusTwice(devices: readonly PlacedDevice[], buses: Buses): PlacementProblem[] {
  const problems: PlacementProblem[] = []
  const seen = new Map<string, BusConfig>()
  const named = new Map<string, BusConfig>()
  const all: [path: string[], bus: BusConfig | undefined][] = [
    ...[...buses].map(([name, bus]): [string[], BusConfig | undefined] => [['buses', name], bus]),
    ...devices.map(({ name, place }): [string[], BusConfig] => [['devices', name, 'bus'], place.bus]),
  ]
  for (const [path, bus] of all) {
    if (bus === undefined || bus.name === '') continue
    const place = placeOf(bus.settings)
    const namesake = named.get(bus.name)
    if (namesake === undefined) named.set(bus.name, bus)
    else if (placeOf(namesake.settings) !== place) {
      const reason = `${place} would be called ${bus.name}, as ${placeOf(namesake.settings)} is`
      problems.push({ path, reason, fix: 'write it below buses, with a name of its own', input: bus.name })
      continue
    }
    // Several connections to one address, and several roots, are fine.
    if (bus.settings.kind === 'file' || bus.settings.kind === 'tcp') continue
    const other = seen.get(place)
    if (other === undefined) seen.set(place, bus)
    else if (other.name !== bus.name) {
      const reason = `${place} is bus ${other.name} already`
      problems.push({ path, reason, fix: `use bus ${other.name} for all its devices`, input: bus.name })
    } else if (JSON.stringify(other) !== JSON.stringify(bus)) {
      const reason = `${place} is written with other settings elsewhere`
      problems.push({ path, reason, fix: 'write it once below buses, and its name here', input: bus.name })
    }
  }
  return problems
}

/** Devices that cannot share a bus as they are. */
function conflicts(devices: readonly PlacedDevice[]): PlacementProblem[] {
  const problems: PlacementProblem[] = []
  const taken = new Map<string, string>()
  for (const device of devices) {
    const { bus, address } = device.place
    const spot = spotOf(device)
    const other = spot === undefined ? undefined : taken.get(spot)
    if (spot !== undefined && other === undefined) taken.set(spot, device.name)
    if (other !== undefined) {
      const key = address === undefined ? 'bus' : 'address'
      const reason = `device ${other} is at ${spot} of ${bus.name} already`
      problems.push({
        path: ['devices', device.name, key],
        reason,
        fix: 'give each device its own',
        input: address ?? bus.name,
      })
    }
    const talker = devices.find(
      (one) => one !== device && (one.driver.kind === 'stream' || device.driver.kind === 'stream'),
    )
    if (talker !== undefined && device.driver.kind === 'stream') {
      const reason = `${device.driver.manifest.name} talks by itself and needs the line alone, ${talker.name} is on it too`
      problems.push({
        path: ['devices', device.name, 'bus'],
        reason,
        fix: 'give it a line of its own',
        input: bus.name,
      })
    }
  }
  return problems
}

/** What only one device of a bus can have. Units on a line may be read by several, e.g. at two rates. */
function spotOf({ place }: PlacedDevice): string | undefined {
  switch (place.bus.settings.kind) {
    case 'i2c':
      return `address ${hex(place.address!)}`
    case 'spi':
      return 'the chip select'
    default:
      return undefined
  }
}

function overload(devices: readonly PlacedDevice[]): PlacementProblem[] {
  const { bus } = devices[0].place
  const demands = devices.flatMap(({ name, driver, options, place, everyMs }): BusDemand[] => {
    if (driver.kind !== 'polled') return []
    const busyMs = acquisitionMs(driver.cost(options), bus.settings, place.clockHz)
    return [{ device: name, everyMs, busyMs }]
  })
  if (demands.length === 0) return []
  const { share, heaviest, fittingEveryMs } = loadOf(demands, bus.budget)
  if (share <= bus.budget) return []
  const needs = demands.map(
    (demand) => `${demand.device} at ${rate(demand.everyMs)} needs ${percent(demand.busyMs / demand.everyMs)}`,
  )
  const sum = demands.length === 1 ? '' : `, together ${percent(share)}`
  const reason = `${needs.join(', ')}${sum} of ${bus.name}, whose budget is ${percent(bus.budget)}`
  const slower =
    fittingEveryMs === undefined
      ? 'lengthen every of them'
      : `lengthen every of ${heaviest.device} to ${fittingEveryMs}ms`
  const faster = bus.settings.kind === 'serial' ? 'raise the baud rate' : 'raise the speed of the bus'
  const path = ['devices', heaviest.device, 'every']
  return [{ path, reason, fix: `${slower}, or ${faster}`, input: heaviest.everyMs }]
}

function rate(everyMs: number): string {
  return `${Number((1000 / everyMs).toPrecision(3))} Hz`
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`
}
