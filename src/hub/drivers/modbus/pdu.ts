/** Requests and answers of "MODBUS Application Protocol" V1.1b3, functions 1 to 4, without the frame around them. */
import type { Table } from './register-map.js'
import { dataBytes, type PlannedRequest } from './request-plan.js'

export const FUNCTION_OF: Readonly<Record<Table, number>> = { coil: 1, discrete: 2, holding: 3, input: 4 }
/** Set in the function of an answer that is a refusal. */
export const EXCEPTION_BIT = 0x80

const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'illegal function: it has no such table, choose another one (holding or input, coil or discrete)',
  2: 'illegal data address: it lacks one of these registers, correct the address (documents count from 1) or lower max_hole_registers',
  3: 'illegal data value: it refuses so many registers at once, lower max_registers_per_request',
  4: 'device failure: it could not read its own registers, look at the device',
  5: 'acknowledge: it needs long for this request, ask less often',
  6: 'busy: it works on something else, ask less often or raise pause_between_requests',
  8: 'memory parity error: its memory is damaged, look at the device',
  10: 'gateway path unavailable: the gateway is overloaded or knows no way to this unit, look at its configuration',
  11: 'gateway target failed to respond: the device behind the gateway is silent, look at its cable, power and unit_id',
}

/** What a refusal means and what to do about it. */
export function explainException(code: number): string {
  return `exception ${code}, ${EXCEPTIONS[code] ?? 'which the standard does not name: see the device’s manual'}`
}

export function requestPdu({ table, start, count }: PlannedRequest): Uint8Array {
  return Uint8Array.of(FUNCTION_OF[table], start >> 8, start & 0xff, count >> 8, count & 0xff)
}

/** Function, byte count, data. */
export function answerPduBytes(request: PlannedRequest): number {
  return 2 + dataBytes(request)
}

/** `holding registers 0 to 4`, for messages. */
export function describeRequest({ table, start, count }: PlannedRequest): string {
  const things = table === 'coil' || table === 'discrete' ? `${table} bits` : `${table} registers`
  return count === 1 ? `${things} ${start}` : `${things} ${start} to ${start + count - 1}`
}
