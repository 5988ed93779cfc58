import { packName } from '../../codec/batch-dictionary.js'

/** First byte of an array of three, which is what a batch's dictionary has for each series. */
const THREE = 0x93

/**
 * Bytes that a batch holds when one of its series is of the device: how its dictionary says `[device, ...`. Looking for
 * them decodes nothing, so it is quick, safe with hostile bodies, and finds a device in a body whose end is missing.
 * Other bytes may look like a short name by chance: in 64 KB of random ones a name of one character is seen once in 256
 * bodies, one of two in 65 536, one of three in 17 million.
 */
export function deviceMark(device: string): Buffer {
  return Buffer.concat([Buffer.of(THREE), packName(device)])
}
