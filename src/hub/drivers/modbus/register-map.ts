import type { OptionFields } from '../contract/option-fields.js'
import { BYTE_ORDERS, type ByteOrder, REGISTER_TYPES, type RegisterType, wordsOf } from './register-value.js'

/** The four tables of Modbus; the first two hold bits, the others words. */
export const TABLES = ['coil', 'discrete', 'input', 'holding'] as const
export type Table = (typeof TABLES)[number]

export function holdsBits(table: Table): boolean {
  return table === 'coil' || table === 'discrete'
}

/** Where one channel is, and how its registers become a value: `raw x scale + offset`. */
export interface Register {
  readonly channel: string
  readonly table: Table
  /** From 0, as on the wire. */
  readonly address: number
  readonly type: RegisterType
  readonly order: ByteOrder
  readonly scale: number
  readonly offset: number
  readonly unit: string
  readonly quantity: string
  /** Of type `bit`: 0 is the lowest. */
  readonly bit: number
}

const MAX_REGISTERS = 256
const DOCUMENT_TABLES: Readonly<Record<string, Table>> = { 0: 'coil', 1: 'discrete', 3: 'input', 4: 'holding' }

/**
 * The key `registers`: one entry a channel. The table is named by the key that holds the address (`holding: 0`), or both
 * by the number that documents use (`document: 40001`).
 */
export function registersField(field: OptionFields) {
  const address = () => field.integer(0, 65_535).optional()
  const entry = field.group({
    coil: address(),
    discrete: address(),
    input: address(),
    holding: address(),
    document: field.text(6).optional(),
    type: field.oneOf(...REGISTER_TYPES).optional(),
    order: field.oneOf(...BYTE_ORDERS).default('ABCD'),
    bit: field.integer(0, 15).optional(),
    scale: field.number(-1e12, 1e12).default(1),
    offset: field.number(-1e12, 1e12).default(0),
    unit: field.text(32).default(''),
    quantity: field.text(64).optional(),
  })
  // A list from here on: keys of groups become camelCase, and a channel's name is the user's own.
  return field.named(entry, 64).transform((entries, context): Register[] => {
    const registers: Register[] = []
    const problem = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message, input: entries })
    if (Object.keys(entries).length > MAX_REGISTERS) problem([], `expected at most ${MAX_REGISTERS} registers a device`)
    if (Object.keys(entries).length === 0)
      problem([], 'expected at least one register, such as voltage: { holding: 0 }')
    for (const [channel, { coil, discrete, input, holding, document, type, bit, quantity, ...rest }] of Object.entries(
      entries,
    )) {
      const place = placeOf({ coil, discrete, input, holding }, document)
      if (typeof place === 'string') {
        problem([channel], place)
        continue
      }
      const kind = type ?? (holdsBits(place.table) ? 'bool' : bit === undefined ? 'u16' : 'bit')
      const wrong = misfit(place, kind, bit)
      if (wrong !== undefined) problem([channel, 'type'], wrong)
      if (rest.scale === 0) problem([channel, 'scale'], 'expected a number other than 0')
      registers.push({ channel, ...place, type: kind, bit: bit ?? 0, quantity: quantity ?? channel, ...rest })
    }
    return registers
  })
}

interface Place {
  readonly table: Table
  readonly address: number
}

/** Where an entry is, or what is wrong with what it says. */
function placeOf(addresses: Partial<Record<Table, number>>, document: string | undefined): Place | string {
  const named = TABLES.filter((table) => addresses[table] !== undefined)
  if (named.length + (document === undefined ? 0 : 1) !== 1) {
    return `expected exactly one of ${TABLES.join(', ')} (an address from 0) or document (a number such as 40001)`
  }
  if (document === undefined) return { table: named[0], address: addresses[named[0]]! }
  return documentPlace(document) ?? 'expected document to be 1 to 9999, 10001, 30001, 40001 or such, or six digits'
}

/** Numbers as documents print them: the first digit is the table, the rest counts from 1; `undefined`: no such number. */
export function documentPlace(number: string): Place | undefined {
  const digits = /^\d{5}$|^\d{6}$/.test(number) ? number : /^\d{1,4}$/.test(number) ? number.padStart(5, '0') : ''
  const table = DOCUMENT_TABLES[digits.slice(0, 1)]
  const address = Number(digits.slice(1)) - 1
  return table === undefined || address < 0 || address > 65_535 ? undefined : { table, address }
}

function misfit({ table, address }: Place, type: RegisterType, bit: number | undefined): string | undefined {
  if (holdsBits(table) && type !== 'bool') return `expected bool: a ${table} is one bit`
  if ((type === 'bit') !== (bit !== undefined)) return 'expected type bit and the key bit (0 to 15) together'
  if (!holdsBits(table) && address + wordsOf(type) > 65_536) {
    return `expected a type that ends before address 65536: ${type} has ${wordsOf(type)} registers`
  }
  return undefined
}
