import { packName } from '../../codec/batch-dictionary.js'

/** First byte of an array of three, which is what a batch's dictionary has for each series. */
const THREE = 0x93

/**
 * Bytes that a batch holds when one of its series is of the device: how its dictionary says `[device, ...`. Looking for
 * them decodes nothing, so it is quick, safe with hostile bodies, and finds a device in a body whose end is missing.
 * That other bytes look like a name of a few characters by chance is possible: once in some hundred million bodies of
 * 64 KB for four characters, once in some thousand for one.
 */
export function deviceMark(device: string): Buffer {
  return Buffer.concat([Buffer.of(THREE), packName(device)])
}
