import { holdsBits, type Register, type Table } from './register-map.js'
import { wordsOf } from './register-value.js'

/** One request, and the channels that its answer holds. */
export interface PlannedRequest {
  readonly table: Table
  readonly start: number
  /** Registers or bits. */
  readonly count: number
  readonly registers: readonly PlannedRegister[]
}

export interface PlannedRegister extends Register {
  /** Its place among the device's channels. */
  readonly index: number
}

export interface PlanLimits {
  readonly maxRegistersPerRequest: number
  /** So many registers (or bits) that no channel names may be read along, when that saves a request. */
  readonly maxHoleRegisters: number
}

/**
 * As few requests as hold all registers, by table and address: neighbours share one, up to the limit, and what nobody
 * named is not read unless allowed, as many slaves refuse a whole request for one register they do not have. A value is
 * never split; one wider than the limit has a request of its own. Of bits a request may have 16 for each register.
 */
export function planRequests(registers: readonly Register[], limits: PlanLimits): PlannedRequest[] {
  const sorted = registers
    .map((register, index) => ({ ...register, index }))
    .sort((a, b) => compare(a.table, b.table) || a.address - b.address || widthOf(a) - widthOf(b))
  const plan: { table: Table; start: number; count: number; registers: PlannedRegister[] }[] = []
  for (const register of sorted) {
    const last = plan.at(-1)
    const end = register.address + widthOf(register)
    if (last !== undefined && last.table === register.table) {
      const hole = register.address - (last.start + last.count)
      const count = Math.max(last.count, end - last.start)
      const most = limits.maxRegistersPerRequest * (holdsBits(last.table) ? 16 : 1)
      if (hole <= limits.maxHoleRegisters && (count <= most || count === last.count)) {
        last.count = count
        last.registers.push(register)
        continue
      }
    }
    plan.push({ table: register.table, start: register.address, count: widthOf(register), registers: [register] })
  }
  return plan
}

/** Bytes of data in the answer to a request, without any header. */
export function dataBytes({ table, count }: PlannedRequest): number {
  return holdsBits(table) ? Math.ceil(count / 8) : count * 2
}

function widthOf({ table, type }: Register): number {
  return holdsBits(table) ? 1 : wordsOf(type)
}

function compare(a: Table, b: Table): number {
  return a < b ? -1 : a > b ? 1 : 0
}
