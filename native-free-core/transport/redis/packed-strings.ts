/**
 * Reads the list of strings that a script packed with `cmsgpack`, as bytes: bodies are no UTF-8, which a reader of msgpack
 * would make text of.
 *
 * @returns as many as are whole
 */
export function unpackStrings(packed: Buffer): Buffer[] {
  const strings: Buffer[] = []
  const head = packed[0]
  let at = head === 0xdc ? 3 : head === 0xdd ? 5 : 1
  while (at < packed.length) {
    const kind = packed[at]
    const isShort = kind >= 0xa0 && kind <= 0xbf
    const sizeBytes = isShort ? 0 : SIZE_BYTES[kind]
    if (sizeBytes === undefined || at + 1 + sizeBytes > packed.length) break
    const length = isShort ? kind & 0x1f : packed.readUIntBE(at + 1, sizeBytes)
    const from = at + 1 + sizeBytes
    if (from + length > packed.length) break
    strings.push(packed.subarray(from, from + length))
    at = from + length
  }
  return strings
}

/** Of the length that follows the type: str 8, 16 and 32. */
const SIZE_BYTES: Readonly<Record<number, number>> = { 217: 1, 218: 2, 219: 4 }
