/** Words with a checksum after each, as Sensirion's chips send them (SHT3x datasheet, section 4.12). */
import { type Fault, readFault } from '../contract/fault.js'
import { deadBus, hexByte } from '../registers/dead-bus.js'

const POLYNOMIAL = 0x31
/** Two bytes and their checksum. */
export const CHECKED_WORD_BYTES = 3

/** CRC-8 of two bytes: polynomial 0x31, begins with 0xFF, not reflected. 0xBEEF gives 0x92. */
export function crc8(high: number, low: number): number {
  let crc = 0xff
  for (const byte of [high, low]) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ POLYNOMIAL) & 0xff : crc << 1
  }
  return crc
}

/** A word as a chip sends it. */
export function checkedWord(word: number): number[] {
  return [word >> 8, word & 0xff, crc8(word >> 8, word & 0xff)]
}

/** The words, or why there are none. */
export function wordsOf(bytes: Uint8Array, count: number): readonly number[] | Fault {
  const wanted = count * CHECKED_WORD_BYTES
  if (bytes.length !== wanted) {
    return { fault: 'short', message: `An answer has ${bytes.length} bytes instead of ${wanted}; read it again.` }
  }
  const dead = deadBus(bytes)
  if (dead) return { fault: 'io', message: `The chip does not answer, ${dead}; check its wiring and supply.` }
  const words: number[] = []
  for (let at = 0; at < wanted; at += CHECKED_WORD_BYTES) {
    const [high, low, sent] = [bytes[at], bytes[at + 1], bytes[at + 2]]
    const crc = crc8(high, low)
    if (crc !== sent) {
      const what = `Bytes ${hexByte(high)} ${hexByte(low)} have the checksum ${hexByte(crc)}, ${hexByte(sent)} came`
      return { fault: 'crc', message: `${what}; shorten the wires or lower the clock of the bus if this comes back.` }
    }
    words.push((high << 8) | low)
  }
  return words
}

/** @throws the fault of {@link wordsOf} */
export function wordsOrThrow(bytes: Uint8Array, count: number): readonly number[] {
  const words = wordsOf(bytes, count)
  if ('fault' in words) throw readFault(words.fault, words.message)
  return words
}
