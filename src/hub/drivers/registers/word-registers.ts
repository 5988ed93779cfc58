/** Registers of 16 bits, high byte first, behind a pointer byte: ADS1115, INA219 and most chips of their maker. */
import type { I2cPort } from '../contract/ports.js'

/** One transaction: sets the pointer and reads after a repeated start. */
export async function readWord(port: I2cPort, register: number): Promise<number> {
  const [high, low] = await port.writeRead(Uint8Array.of(register), 2)
  return (high << 8) | low
}

/** One transaction of three bytes. */
export function writeWord(port: I2cPort, register: number, word: number): Promise<void> {
  return port.write(Uint8Array.of(register, word >> 8, word & 0xff))
}

/** Bytes on the wire of {@link readWord}: address, pointer, address again, word. */
export const READ_WORD_BYTES = 5
/** Bytes on the wire of {@link writeWord}: address, pointer, word. */
export const WRITE_WORD_BYTES = 4

/** The word at `offset`, high byte first, unsigned. */
export function wordAt(bytes: Uint8Array, offset: number): number {
  return (bytes[offset] << 8) | bytes[offset + 1]
}

/** The word at `offset`, high byte first, two's complement. */
export function signedWordAt(bytes: Uint8Array, offset: number): number {
  return (wordAt(bytes, offset) << 16) >> 16
}
