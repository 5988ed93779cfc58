/** A line with Modbus slaves, for commands that ask without a device of the configuration. */
import { TelemetryError } from '#core/errors/telemetry-error'
import { didYouMean } from '#core/options/did-you-mean'
import type { BusSeat } from '../../hub/buses/bus.js'
import { BusRegistry } from '../../hub/buses/bus-registry.js'
import { placeOf } from '../../hub/buses/bus-settings.js'
import { portOn } from '../../hub/buses/ports.js'
import { readFault } from '../../hub/drivers/contract/fault.js'
import type { LinePort } from '../../hub/drivers/contract/ports.js'
import type { Framing } from '../../hub/drivers/modbus/framing.js'
import { ask } from '../../hub/drivers/modbus/modbus-driver.js'
import type { PlannedRequest } from '../../hub/drivers/modbus/request-plan.js'
import { RTU_FRAMING } from '../../hub/drivers/modbus/rtu-framing.js'
import { TCP_FRAMING } from '../../hub/drivers/modbus/tcp-framing.js'
import type { CommandContext } from '../command-context.js'
import type { CommandLine } from '../command-line.js'
import type { HttpPlace } from './running-hub.js'
import { asSource, busOf, optionsWith } from './wanted-device.js'

const TOOLS = { pause: async () => {}, fault: readFault }

/** Over TCP it speaks Modbus TCP, over serial lines RTU. Only reads. */
export class ModbusLine {
  /** Where the hub of the configuration listens. */
  readonly http: HttpPlace
  readonly #seat: BusSeat
  readonly #framing: Framing

  private constructor(seat: BusSeat, http: HttpPlace) {
    this.#seat = seat
    this.http = http
    this.#framing = seat.bus.settings.kind === 'tcp' ? TCP_FRAMING : RTU_FRAMING
  }

  /**
   * Opens the line of `--bus`: one of the configuration, or where it is.
   *
   * @param timeoutMs for each answer
   * @throws TLM_OPTIONS_INVALID, TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING
   */
  static async open(
    { values, programArgs }: Pick<CommandLine, 'values' | 'programArgs'>,
    { env }: Pick<CommandContext, 'env'>,
    timeoutMs: number,
  ): Promise<ModbusLine> {
    if (typeof values.bus !== 'string') {
      throw new TelemetryError('TLM_OPTIONS_INVALID', 'Which line? Give --bus: its name, /dev/ttyUSB0 or HOST:PORT.')
    }
    const where = busOf(values.bus, values)
    const name = typeof where === 'string' ? where : 'line'
    const besides = typeof where === 'string' ? undefined : asSource({ buses: { [name]: where } })
    const { buses, http } = await optionsWith(programArgs, env, besides)
    const config = buses[name]
    if (config === undefined) throw new TelemetryError('TLM_OPTIONS_INVALID', noBus(name, Object.keys(buses)))
    const { settings } = config
    if (settings.kind !== 'serial' && settings.kind !== 'tcp') {
      throw new TelemetryError('TLM_OPTIONS_INVALID', `${placeOf(settings)} is no serial line and no HOST:PORT.`)
    }
    const seat = new BusRegistry().busFor({ ...config, name }, name).join(name, timeoutMs)
    await seat.bus.open(seat.user)
    return new ModbusLine(seat, http)
  }

  get isTcp(): boolean {
    return this.#framing === TCP_FRAMING
  }

  /** @returns 16-bit words @throws TLM_READ_FAILED with the kind of fault */
  async read(unitId: number, request: Omit<PlannedRequest, 'registers'>): Promise<number[]> {
    const port = portOn(this.#seat, {}) as LinePort
    const frame = await ask(this.#framing, port, unitId, { ...request, registers: [] }, TOOLS)
    const start = this.#framing.headBytes + 2
    return Array.from({ length: request.count }, (_, at) => (frame[start + 2 * at]! << 8) | frame[start + 2 * at + 1]!)
  }

  close(): Promise<void> {
    return this.#seat.bus.close(this.#seat.user)
  }
}

function noBus(name: string, known: readonly string[]): string {
  const near = didYouMean(name, known)
  const fix = near
    ? `Did you mean ${near}?`
    : `Give its configuration with --config, a path such as /dev/ttyUSB0, or HOST:PORT.`
  return `There is no bus ${name}. ${fix}`
}
