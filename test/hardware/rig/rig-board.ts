import { join } from 'node:path'
import { loadDrivers } from '#src/hub/config/driver-catalogue'
import type { AnyPolledDriver, AnyStreamDriver } from '#src/hub/drivers/contract/driver-module'
import type { BusKind } from '#src/hub/drivers/contract/manifest'
import type { VirtualDevice, VirtualFileDevice, VirtualLineDevice } from '#src/hub/drivers/contract/virtual-device'
import { optionsOf } from '#test/support/driver-rig'
import { BusServer } from '../bus-server.js'
import { FileTree } from './file-tree.js'
import { NetworkLine } from './network-line.js'
import { RigDevice } from './rig-device.js'
import type { BusPlan, DevicePlan, RigPlan } from './rig-plan.js'
import { BoardSeat, type Seat } from './seat.js'
import { SerialLine } from './serial-line.js'

/** Everything around the hub. */
export class RigBoard {
  readonly lines = new Map<string, SerialLine | NetworkLine>()
  readonly #directory: string
  readonly #plan: RigPlan
  readonly #closers: (() => Promise<void>)[]
  readonly #tree: FileTree

  constructor(directory: string, plan: RigPlan, closers: (() => Promise<void>)[]) {
    this.#directory = directory
    this.#plan = plan
    this.#closers = closers
    this.#tree = new FileTree(join(directory, 'sys'))
  }

  async build() {
    const server = await BusServer.start(this.#directory)
    this.#closers.push(() => server.close())
    const { buses, devices: plans, retryMaxMs } = this.#plan
    for (const [name, bus] of Object.entries(buses)) await this.#startLine(name, bus)
    const drivers = await loadDrivers(plans.map(({ driver }) => driver))
    const devices: RigDevice[] = []
    const written: Record<string, unknown> = {}
    for (const plan of plans) {
      const driver = drivers.get(plan.driver)
      if (driver === undefined || 'problem' in driver) throw new Error(`No driver ${plan.driver}: ${driver?.problem}`)
      const virtual = plan.virtual ?? virtualOf(driver as AnyPolledDriver, plan.options, buses[plan.bus]!.type)
      devices.push(
        new RigDevice({
          name: plan.name,
          driver: plan.driver,
          bus: plan.bus,
          virtual,
          seat: await this.#seat(server, plan, virtual),
          ramps: plan.ramps,
          rateHz: plan.rateHz ?? 1000 / (plan.everyMs ?? 100),
          timeoutMs: plan.timeoutMs ?? 500,
          isAsked: driver.kind === 'polled',
          hasChecksum: plan.hasChecksum ?? false,
          ...(plan.impostor && {
            impostor: () => virtualOf(driver as AnyPolledDriver, plan.impostor, buses[plan.bus]!.type),
          }),
        }),
      )
      written[plan.name] = {
        driver: plan.driver,
        ...this.#placed(plan, driver.kind === 'source'),
        ...(plan.address !== undefined && { address: plan.address }),
        ...(plan.everyMs !== undefined && { every: `${plan.everyMs}ms` }),
        ...(plan.timeoutMs !== undefined && { timeout: `${plan.timeoutMs}ms` }),
        ...(retryMaxMs !== undefined && { retry_max_ms: retryMaxMs }),
        ...plan.options,
      }
    }
    this.#tree.start()
    this.#closers.push(() => this.#tree.close())
    return { server, lines: this.lines, devices, config: { buses: this.#writtenBuses(), devices: written } }
  }

  async #startLine(name: string, bus: BusPlan): Promise<void> {
    if (bus.type !== 'serial' && bus.type !== 'tcp') return
    if (bus.type === 'serial') {
      const line = await SerialLine.start(join(this.#directory, `usb-${name}`))
      this.#closers.push(() => line.close())
      this.lines.set(name, line)
    } else {
      const line = new NetworkLine()
      this.#closers.push(() => line.unplug())
      this.lines.set(name, line)
    }
    await this.lines.get(name)!.plug()
  }

  async #seat(server: BusServer, plan: DevicePlan, virtual: VirtualDevice): Promise<Seat> {
    const bus = this.#plan.buses[plan.bus]
    switch (bus?.type) {
      case 'i2c':
      case 'spi':
        return new BoardSeat(server, bus.path, plan.address, virtual)
      case 'serial':
      case 'tcp': {
        const line = this.lines.get(plan.bus)!
        return { kind: bus.type, line, seat: line.wire.add(virtual as VirtualLineDevice) }
      }
      case 'file':
        return { kind: 'file', files: await this.#tree.add(virtual as VirtualFileDevice) }
      default:
        throw new Error(`The rig has no bus ${plan.bus}.`)
    }
  }

  /** A driver that reads itself has the port in its own keys. */
  #placed({ bus }: DevicePlan, isSource: boolean): Record<string, unknown> {
    if (!isSource) return { bus }
    const line = this.lines.get(bus) as SerialLine
    return { path: line.path }
  }

  #writtenBuses(): Record<string, unknown> {
    const used = new Set(this.#plan.devices.filter(({ driver }) => driver !== 'line').map(({ bus }) => bus))
    const entries = Object.entries(this.#plan.buses).filter(([name]) => used.has(name))
    return Object.fromEntries(entries.map(([name, bus]) => [name, this.#writtenBus(name, bus)]))
  }

  #writtenBus(name: string, bus: BusPlan): Record<string, unknown> {
    const line = this.lines.get(name)
    switch (bus.type) {
      case 'i2c':
        return { type: 'i2c', path: bus.path, speed: '400kHz' }
      case 'spi':
        return { type: 'spi', path: bus.path }
      case 'serial':
        return { type: 'serial', path: (line as SerialLine).path, baud: bus.baud }
      case 'tcp':
        return { type: 'tcp', host: '127.0.0.1', port: (line as NetworkLine).port }
      case 'file':
        return { type: 'file', root: this.#tree.root }
    }
  }
}

function virtualOf(
  driver: AnyPolledDriver | AnyStreamDriver,
  written: DevicePlan['options'],
  bus: BusKind,
): VirtualDevice {
  return driver.emulate(optionsOf(driver, written), bus)
}
