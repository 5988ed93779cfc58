/** Kinds of values in registers, and the order of their bytes. */

export const REGISTER_TYPES = ['u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'f32', 'f64', 'bool', 'bit'] as const
/** `bool`: a coil, or a register that is not 0; `bit`: one bit of a register. */
export type RegisterType = (typeof REGISTER_TYPES)[number]

/**
 * Order of bytes as they come over the wire, named after a big-endian 32-bit value ABCD: `CDAB` has its words swapped,
 * `BADC` the bytes of each word, `DCBA` both. Of 64 bits `CDAB` means the four words in reverse; of 16 bits only the
 * order within the word counts.
 */
export const BYTE_ORDERS = ['ABCD', 'CDAB', 'BADC', 'DCBA'] as const
export type ByteOrder = (typeof BYTE_ORDERS)[number]

const WORDS: Readonly<Record<RegisterType, number>> = {
  u16: 1,
  i16: 1,
  bool: 1,
  bit: 1,
  u32: 2,
  i32: 2,
  f32: 2,
  u64: 4,
  i64: 4,
  f64: 4,
}

/** How many registers a value takes: 1, 2 or 4. */
export function wordsOf(type: RegisterType): number {
  return WORDS[type]
}

/** The same bytes in another order; doing it twice gives the first again. A copy. */
export function reorder(bytes: Uint8Array, order: ByteOrder): Uint8Array {
  const swapsWords = order === 'CDAB' || order === 'DCBA'
  const swapsBytes = order === 'BADC' || order === 'DCBA'
  const words = bytes.length / 2
  return Uint8Array.from(bytes, (_, at) => {
    const word = Math.floor(at / 2)
    const from = swapsWords ? words - 1 - word : word
    return bytes[from * 2 + (swapsBytes ? 1 - (at % 2) : at % 2)]
  })
}

/**
 * What the registers of one value say.
 *
 * @param bytes `wordsOf(type)` words as they came
 * @param bit for `bit`: 0 is the lowest of the word
 * @returns whole numbers over 2^53 rounded to the nearest double; NaN when the float is one
 */
export function readValue(bytes: Uint8Array, type: RegisterType, order: ByteOrder, bit = 0): number {
  const view = new DataView(reorder(bytes, order).buffer)
  switch (type) {
    case 'u16':
      return view.getUint16(0)
    case 'i16':
      return view.getInt16(0)
    case 'u32':
      return view.getUint32(0)
    case 'i32':
      return view.getInt32(0)
    case 'u64':
      return Number(view.getBigUint64(0))
    case 'i64':
      return Number(view.getBigInt64(0))
    case 'f32':
      return view.getFloat32(0)
    case 'f64':
      return view.getFloat64(0)
    case 'bool':
      return view.getUint16(0) === 0 ? 0 : 1
    case 'bit':
      return (view.getUint16(0) >> bit) & 1
  }
}

/** The registers of a value, as {@link readValue} reads them back; whole numbers are rounded and kept within the type. */
export function writeValue(value: number, type: RegisterType, order: ByteOrder, bit = 0): Uint8Array {
  const view = new DataView(new ArrayBuffer(wordsOf(type) * 2))
  const whole = (low: number, high: number) => Math.min(high, Math.max(low, Math.round(value)))
  switch (type) {
    case 'u16':
      view.setUint16(0, whole(0, 0xffff))
      break
    case 'i16':
      view.setInt16(0, whole(-0x8000, 0x7fff))
      break
    case 'u32':
      view.setUint32(0, whole(0, 0xffff_ffff))
      break
    case 'i32':
      view.setInt32(0, whole(-0x8000_0000, 0x7fff_ffff))
      break
    case 'u64':
      view.setBigUint64(0, BigInt(whole(0, Number.MAX_SAFE_INTEGER)))
      break
    case 'i64':
      view.setBigInt64(0, BigInt(whole(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)))
      break
    case 'f32':
      view.setFloat32(0, value)
      break
    case 'f64':
      view.setFloat64(0, value)
      break
    case 'bool':
      view.setUint16(0, value === 0 ? 0 : 1)
      break
    case 'bit':
      view.setUint16(0, value === 0 ? 0 : 1 << bit)
      break
  }
  return reorder(new Uint8Array(view.buffer), order)
}
