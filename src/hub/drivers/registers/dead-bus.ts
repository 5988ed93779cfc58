/**
 * What bytes say that no chip sent: a data line that hangs low gives only 0x00, one that nobody drives only 0xFF.
 *
 * @returns the words for a message, or `undefined` when the bytes are neither
 */
export function deadBus(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return undefined
  if (bytes.every((byte) => byte === 0x00)) return 'only 0x00 came'
  if (bytes.every((byte) => byte === 0xff)) return 'only 0xFF came'
  return undefined
}

/** `0x68`, the way datasheets write a byte. */
export function hexByte(byte: number): string {
  return `0x${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** `0xC383`, the way datasheets write a register word. */
export function hexWord(word: number): string {
  return `0x${word.toString(16).toUpperCase().padStart(4, '0')}`
}
