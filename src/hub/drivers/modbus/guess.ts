import { BYTE_ORDERS, type ByteOrder, type RegisterType, readValue, wordsOf } from './register-value.js'

/** One way to read registers. */
export interface RegisterGuess {
  readonly type: RegisterType
  /** One name of the order: of 16 bits only `ABCD` and `BADC`, as the others say the same. */
  readonly order: ByteOrder
  readonly value: number
  /** Whether a device could mean that: a number of everyday size, with few digits when it is a float. */
  readonly isPlausible: boolean
}

const NUMBER_TYPES = ['u16', 'i16', 'u32', 'i32', 'f32', 'u64', 'i64', 'f64'] as const

/** Everyday sizes: counters go high, measurements stay within. */
const MAX_COUNT = 1e9
const MAX_MEASURE = 1e6
const MIN_MEASURE = 1e-3

/**
 * Reads words that start at one address as every number type that fits, in all byte orders: what a user sees who knows
 * the address and not the format. Pure.
 *
 * @param words 16-bit registers, 1 to 4 of them are looked at
 */
export function guessRegisters(words: readonly number[]): RegisterGuess[] {
  const bytes = Uint8Array.from(words.flatMap((word) => [(word >> 8) & 0xff, word & 0xff]))
  return NUMBER_TYPES.filter((type) => wordsOf(type) <= words.length).flatMap((type) => {
    const orders = wordsOf(type) === 1 ? (['ABCD', 'BADC'] as const) : BYTE_ORDERS
    return orders.map((order) => {
      const value = readValue(bytes.subarray(0, wordsOf(type) * 2), type, order)
      return { type, order, value, isPlausible: isPlausible(type, value) }
    })
  })
}

function isPlausible(type: (typeof NUMBER_TYPES)[number], value: number): boolean {
  if (type === 'f32' || type === 'f64') {
    const size = Math.abs(value)
    return value === 0 || (size >= MIN_MEASURE && size <= MAX_MEASURE)
  }
  // A signed type says more than the unsigned one only when the number is below zero, and then it is a small one.
  if (type.startsWith('i')) return value < 0 && value >= -32_768
  return type === 'u16' ? value < 0xff00 : value <= MAX_COUNT
}
