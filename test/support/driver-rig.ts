/** A polled driver alone with its virtual chip: options as a file gives them, ports without a bus, time by hand. */
import { z } from 'zod'
import { camelKeys } from '#core/options/camel-keys'
import type { DecodedReading, Note } from '#src/hub/drivers/contract/decoded'
import { isFault } from '#src/hub/drivers/contract/decoded'
import { readFault } from '#src/hub/drivers/contract/fault'
import { OPTION_FIELDS, type OptionShape, type OptionsOf } from '#src/hub/drivers/contract/option-fields'
import type { DriverTools, PolledDriver } from '#src/hub/drivers/contract/polled-driver'
import type { Port } from '#src/hub/drivers/contract/ports'
import type { VirtualDevice } from '#src/hub/drivers/contract/virtual-device'
import { portOnto } from '#test/support/virtual-ports'

/** Time that passes only when something pauses. */
export class ManualClock {
  #nowMs = 0
  readonly nowMs = () => this.#nowMs

  pass(ms: number): void {
    this.#nowMs += ms
  }

  readonly tools: DriverTools = {
    pause: async (ms) => this.pass(ms),
    fault: (kind, message) => readFault(kind, message),
  }
}

/** Reads options as the hub does: snake_case keys, defaults filled in. @throws ZodError */
export function optionsOf<Shape extends OptionShape>(
  driver: { options?: (field: typeof OPTION_FIELDS) => Shape },
  written: object = {},
): OptionsOf<Shape> {
  const read = z.strictObject(driver.options?.(OPTION_FIELDS) ?? {}).parse(written) as Record<string, unknown>
  const given = Object.entries(read).filter(([, value]) => value !== undefined)
  return camelKeys(Object.fromEntries(given)) as OptionsOf<Shape>
}

/** Initialises and measures through one port, as a runner does. */
export class DriverRig<Shape extends OptionShape, DevicePort extends Port, Calibration> {
  readonly #driver: PolledDriver<Shape, DevicePort, Calibration>
  readonly #options: OptionsOf<Shape>
  readonly #tools: DriverTools
  readonly port: DevicePort
  #setup: Uint8Array = new Uint8Array(0)
  #calibration: Calibration | undefined

  constructor(
    driver: PolledDriver<Shape, DevicePort, Calibration>,
    options: OptionsOf<Shape>,
    device: VirtualDevice,
    tools: DriverTools,
  ) {
    this.#driver = driver
    this.#options = options
    this.#tools = tools
    this.port = portOnto(device) as DevicePort
  }

  /** @throws what the driver throws */
  async initialise(): Promise<Uint8Array> {
    this.#setup = await this.#driver.initialise(this.port, this.#options, this.#tools)
    this.#calibration = this.#driver.calibration(this.#setup, this.#options, this.#tools.fault)
    return this.#setup
  }

  acquire(): Promise<Uint8Array> {
    return this.#driver.acquire(this.port, this.#options, this.#tools, this.#setup)
  }

  /** One acquisition, decoded. @throws what the driver throws, and a fault of `decode` */
  async readings(note?: Note): Promise<readonly DecodedReading[]> {
    const raw = await this.acquire()
    const decoded = this.#driver.decode(raw, this.#calibration as Calibration, this.#options, note)
    if (isFault(decoded)) throw readFault(decoded.fault, decoded.message)
    return decoded
  }

  /** The newest reading of one acquisition by channel; empty when there is none. */
  async values(): Promise<Record<string, number>> {
    const newest = (await this.readings()).at(-1)
    if (!newest) return {}
    const names = this.#driver.channels(this.#options).map(({ name }) => name)
    return Object.fromEntries(names.map((name, at) => [name, newest.values[at]]))
  }
}

/** What `assert.rejects` and `assert.throws` compare with: a fault of this kind whose sentence matches. */
export function faultLike(kind: string, message: RegExp) {
  return { code: 'TLM_READ_FAILED', details: { fault: kind }, message }
}
