/** Bounds of {@link findStructureProblem}. */
export interface StructureLimits {
  /** Arrays and maps inside each other, the outermost counted. */
  maxDepth: number
  /** Items in all; a map's keys count too. */
  maxItems: number
}

/** Where the structure is wrong. */
export interface StructureProblem {
  problem: string
  offset: number
}

const FIRST_FIXED = 0xc0
const TIMESTAMP_EXTENSION = 0xff // type -1, the only one that msgpack itself defines

/** For markers 0xc0..0xdf: bytes of the length field, then bytes of payload before the content begins. */
const LENGTH_BYTES = [0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4]
const PAYLOAD_BYTES = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17, 0, 0, 0, 0, 0, 0, 0]
const NEVER_USED = 0xc1
const FIRST_EXT = 0xc7
const LAST_EXT = 0xc9
const FIRST_FIXEXT = 0xd4
const LAST_FIXEXT = 0xd8
const FIRST_CONTAINER = 0xdc
const FIRST_MAP_32_OR_16 = 0xde

/**
 * Walks over msgpack without decoding it: proves that `bytes` is exactly one item, that every length lies inside the
 * input, that arrays and maps are not deeper nor more numerous than allowed, and that there is no extension but the
 * timestamp. What passes cannot make a decoder allocate more than a bounded multiple of the input, nor recurse deeper
 * than `maxDepth` (MessagePack specification, "Formats").
 *
 * Cost: linear in the number of items; strings and binaries are skipped. Allocates `maxDepth` words.
 *
 * @returns `undefined` when the structure is sound
 */
export function findStructureProblem(bytes: Uint8Array, limits: StructureLimits): StructureProblem | undefined {
  const { maxDepth, maxItems } = limits
  const length = bytes.length
  /** Items still to come by depth; level 0 is the single outermost item. */
  const pending = new Int32Array(maxDepth + 1)
  pending[0] = 1
  let depth = 0
  let items = 0
  let at = 0
  for (;;) {
    while (pending[depth] === 0) {
      if (depth-- === 0) return at === length ? undefined : { problem: 'more bytes follow the end', offset: at }
    }
    pending[depth]--
    const offset = at
    if (++items > maxItems) return { problem: `more than ${maxItems} items`, offset }
    if (at >= length) return { problem: 'the input ends inside an item', offset }
    const marker = bytes[at++]
    let skip = 0
    let children = 0
    if (marker < 0x80 || marker >= 0xe0) continue // fixint
    if (marker < 0x90) children = (marker & 0x0f) * 2
    else if (marker < 0xa0) children = marker & 0x0f
    else if (marker < 0xc0) skip = marker & 0x1f
    else {
      const lengthBytes = LENGTH_BYTES[marker - FIRST_FIXED]
      if (lengthBytes > length - at) return { problem: 'the input ends inside an item', offset }
      let announced = 0
      for (let i = 0; i < lengthBytes; i++) announced = announced * 256 + bytes[at++]
      if (marker >= FIRST_CONTAINER) children = marker >= FIRST_MAP_32_OR_16 ? announced * 2 : announced
      else skip = announced + PAYLOAD_BYTES[marker - FIRST_FIXED]
      if (isForbidden(marker, bytes[at])) return { problem: `type 0x${marker.toString(16)} is not accepted`, offset }
    }
    if (skip > length - at) return { problem: `${skip} bytes announced, ${length - at} are left`, offset }
    at += skip
    if (children === 0) continue
    if (children > length - at) return { problem: `${children} items announced, ${length - at} bytes are left`, offset }
    if (++depth > maxDepth) return { problem: `nested deeper than ${maxDepth}`, offset }
    pending[depth] = children
  }
}

function isForbidden(marker: number, extensionType: number): boolean {
  if (marker === NEVER_USED) return true
  const isExtension = (marker >= FIRST_EXT && marker <= LAST_EXT) || (marker >= FIRST_FIXEXT && marker <= LAST_FIXEXT)
  return isExtension && extensionType !== TIMESTAMP_EXTENSION
}
