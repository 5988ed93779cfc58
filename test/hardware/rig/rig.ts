import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { stringify } from 'yaml'
import { type HubFigures, imbalanceOf } from '#src/hub/hub-figures'
import { runHub, type TestProgram } from '#test/support/test-program'
import type { BusServer } from '../bus-server.js'
import { shimmed } from '../shim.js'
import type { NetworkLine } from './network-line.js'
import { RigBoard } from './rig-board.js'
import type { RigDevice } from './rig-device.js'
import { RigLog } from './rig-log.js'
import { RigMetrics } from './rig-metrics.js'
import type { RigPlan } from './rig-plan.js'
import type { SerialLine } from './serial-line.js'
import { examineStore, type StoredDevices } from './stored-devices.js'

/** How often virtual devices come to the next step of their ramps. */
const SENSE_MS = 250
/** How often the hub is asked, whoever wants to know. */
const POLL_MS = 200

/** What is left when the hub has ended. */
export interface RigEnd {
  readonly figures: HubFigures
  /** 0: every accepted sample is accounted for. */
  readonly imbalance: number
  readonly stored: StoredDevices
}

/**
 * The real hub as a process of its own, with unmodified packages, on buses whose devices are the drivers' own virtual
 * ones: I2C and SPI behind the shim, serial lines as terminals, TCP, and files.
 */
export class HardwareRig {
  readonly devices: readonly RigDevice[]
  readonly hub: TestProgram<HubFigures>
  readonly server: BusServer
  readonly lines: ReadonlyMap<string, SerialLine | NetworkLine>
  readonly #directory: string
  readonly #url: string
  readonly #closers: (() => Promise<void>)[]
  readonly #sensing: NodeJS.Timeout
  #nextMetrics: Promise<RigMetrics> | undefined

  private constructor(parts: {
    devices: readonly RigDevice[]
    hub: TestProgram<HubFigures>
    server: BusServer
    lines: ReadonlyMap<string, SerialLine | NetworkLine>
    directory: string
    url: string
    closers: (() => Promise<void>)[]
  }) {
    this.devices = parts.devices
    this.hub = parts.hub
    this.server = parts.server
    this.lines = parts.lines
    this.#directory = parts.directory
    this.#url = parts.url
    this.#closers = parts.closers
    let tick = 0
    this.#sensing = setInterval(() => {
      tick++
      for (const device of this.devices) device.sense(tick)
    }, SENSE_MS)
  }

  /** Builds all of it and starts the hub; resolves when it is ready. */
  static async start(plan: RigPlan): Promise<HardwareRig> {
    const directory = await mkdtemp(join(tmpdir(), 'telemetryhub-rig-'))
    const closers: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })]
    try {
      const board = await new RigBoard(directory, plan, closers).build()
      const config = join(directory, 'hub.yaml')
      await writeFile(config, stringify(board.config))
      const args = ['--config', config, '--data', join(directory, 'data'), '--log-file', join(directory, 'hub.log')]
      const hub = runHub(args, shimmed(directory, board.server.socketPath))
      closers.push(() => hub.kill())
      const url = await hub.ready()
      return new HardwareRig({ ...board, hub, directory, url, closers })
    } catch (error) {
      for (const close of closers.toReversed()) await close()
      throw error
    }
  }

  device(name: string): RigDevice {
    const device = this.devices.find((one) => one.name === name)
    assert.ok(device, `The rig has no device ${name}.`)
    return device
  }

  metrics(): Promise<RigMetrics> {
    return RigMetrics.read(this.#url)
  }

  /** What the hub says of each device: its state, and why. */
  async states(): Promise<ReadonlyMap<string, { state: string; reason: string }>> {
    const answer = await fetch(`${this.#url}/status`)
    const { devices } = (await answer.json()) as { devices: { name: string; state: string; reason: string }[] }
    return new Map(devices.map((device) => [device.name, device]))
  }

  async log(): Promise<RigLog> {
    return new RigLog(await readFile(join(this.#directory, 'hub.log'), 'utf8'))
  }

  /** Resolves once the condition holds of the metrics; `undefined` when it does not in time. */
  async until(condition: (metrics: RigMetrics) => boolean, withinMs: number): Promise<RigMetrics | undefined> {
    const untilMs = performance.now() + withinMs
    for (;;) {
      this.#nextMetrics ??= this.#afterPause()
      const metrics = await this.#nextMetrics
      if (condition(metrics)) return metrics
      if (performance.now() > untilMs) return undefined
    }
  }

  /** One answer for all who wait. */
  async #afterPause(): Promise<RigMetrics> {
    await sleep(POLL_MS)
    this.#nextMetrics = undefined
    return this.metrics()
  }

  /** Resolves once all devices measure and have said something. */
  async wellFrom(devices: readonly RigDevice[] = this.devices, withinMs = 15_000): Promise<void> {
    const before = await this.metrics()
    const isWell = (metrics: RigMetrics) =>
      devices.every(
        ({ name, options }) =>
          metrics.isMeasuring(name) && (options.driver === 'line' || metrics.readings(name) > before.readings(name)),
      )
    if ((await this.until(isWell, withinMs)) !== undefined) return
    const states = await this.states()
    const ill = devices.filter(({ name }) => states.get(name)?.state !== 'Measuring')
    const said = ill.map(({ name }) => `${name}: ${states.get(name)?.reason}`).join('; ')
    throw new Error(`Not well after ${withinMs} ms: ${said || 'a device gives no readings'}.`)
  }

  /** Ends the hub in order and examines what it has stored. */
  async end(): Promise<RigEnd> {
    clearInterval(this.#sensing)
    const figures = await this.hub.stop()
    const stored = await examineStore(join(this.#directory, 'data'), this.devices)
    return { figures, imbalance: imbalanceOf(figures.ledger), stored }
  }

  /** Ends and removes all of it; also after a failure. */
  async close(): Promise<void> {
    clearInterval(this.#sensing)
    for (const close of this.#closers.toReversed()) await close()
  }
}
