/** Slaves on a Modbus line: each address is asked for one register. */
import { messageOf } from '#core/errors/telemetry-error'
import { faultOf } from '../../../hub/drivers/contract/fault.js'
import type { CommandContext } from '../../command-context.js'
import type { CommandLine } from '../../command-line.js'
import { ModbusLine } from '../modbus-line.js'
import { busOf } from '../wanted-device.js'
import type { Find, ScanResult } from './find.js'

export interface ModbusScanOptions {
  readonly first: number
  readonly last: number
  /** Of each address; a slow gateway needs more. Milliseconds. */
  readonly timeoutMs: number
}

/**
 * Any answer tells that somebody is there, a refusal as well. Ends early when the command is interrupted.
 *
 * @throws TLM_OPTIONS_INVALID, TLM_BUS_UNAVAILABLE, TLM_PACKAGE_MISSING
 */
export async function scanModbus(
  line: Pick<CommandLine, 'values' | 'programArgs'>,
  context: CommandContext,
  { first, last, timeoutMs }: ModbusScanOptions,
): Promise<ScanResult> {
  const slaves = await ModbusLine.open(line, context, timeoutMs)
  const written = busOf(String(line.values.bus), line.values)
  const name = typeof written === 'string' ? written : 'modbus'
  const bus = { name, keys: typeof written === 'string' ? {} : written }
  const driver = slaves.isTcp ? 'modbus-tcp' : 'modbus-rtu'
  const finds: Find[] = []
  const problems: string[] = []
  try {
    for (let unit = first; unit <= last && !context.signal.aborted; unit++) {
      const what = await lookAt(slaves, unit)
      if (what === undefined) continue
      const device = { driver, unit_id: unit, registers: { first: { holding: 0 } } }
      const lines = { bus, device }
      finds.push({ id: `${name}/${unit}`, kind: 'modbus', what, certainty: 'certain', driver, lines })
    }
  } catch (error) {
    problems.push(messageOf(error))
  } finally {
    await slaves.close()
  }
  return { finds, problems }
}

/** @returns in words; `undefined`: silence @throws TLM_READ_FAILED the line itself failed */
async function lookAt(slaves: ModbusLine, unit: number): Promise<string | undefined> {
  try {
    const [word] = await slaves.read(unit, { table: 'holding', start: 0, count: 1 })
    return `unit ${unit}: holding register 0 is ${word}`
  } catch (error) {
    switch (faultOf(error)) {
      case 'timeout':
        return undefined
      case 'exception':
        return `unit ${unit} answers, and refuses holding register 0: see its manual for registers`
      case 'crc':
      case 'short':
      case 'wrong_source':
        return `unit ${unit}: something answers, but garbled (${messageOf(error)})`
      default:
        throw error
    }
  }
}
