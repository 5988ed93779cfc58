import { xor8 } from '../checksum/checksums.js'
import type { Fault } from '../contract/fault.js'
import { MAX_SENTENCE_BYTES } from './sentence-framer.js'

/** GPS, all systems together, GLONASS, Galileo, BeiDou. */
const SENTENCE = /^\$(?:GP|GN|GL|GA|GB)(RMC|GGA|GSA|VTG|ZDA)$/

export type SentenceKind = 'RMC' | 'GGA' | 'GSA' | 'VTG' | 'ZDA'

/** How many fields each has at least, its address among them. */
const FIELDS: Readonly<Record<SentenceKind, number>> = { RMC: 10, GGA: 10, GSA: 18, VTG: 9, ZDA: 5 }

export interface Sentence {
  readonly kind: SentenceKind
  /** By position, the address at 0. */
  readonly fields: readonly string[]
}

/** A sentence of use here; `undefined`: a whole one of another kind or maker; or what is wrong with it. */
export function readSentence(frame: Uint8Array): Sentence | Fault | undefined {
  const text = Buffer.from(frame).toString('latin1')
  if (frame.length >= MAX_SENTENCE_BYTES) {
    const message = `No sentence has ${MAX_SENTENCE_BYTES} bytes: this is no NMEA 0183, check the baud rate.`
    return { fault: 'decode', message }
  }
  const match = /^(.[^*]*)\*([0-9A-Fa-f]{2})\s*$/.exec(text)
  if (match === null) return { fault: 'short', message: `A sentence is cut: "${shown(text)}". Check the baud rate.` }
  const sum = xor8(frame.subarray(1, match[1].length))
  if (sum !== Number.parseInt(match[2], 16)) {
    return { fault: 'crc', message: `A checksum does not fit: "${shown(text)}". Check cable and baud rate.` }
  }
  const fields = match[1].split(',')
  const kind = SENTENCE.exec(fields[0])?.[1] as SentenceKind | undefined
  if (kind === undefined) return undefined
  if (fields.length >= FIELDS[kind]) return { kind, fields }
  return { fault: 'decode', message: `${kind} has too few fields: "${shown(text)}". Look at the receiver's settings.` }
}

/** A sentence for the wire, from what stands between `$` and `*`. */
export function writeSentence(body: string): Buffer {
  const sum = xor8(Buffer.from(body, 'latin1')).toString(16).toUpperCase().padStart(2, '0')
  return Buffer.from(`$${body}*${sum}\r\n`, 'latin1')
}

function shown(text: string): string {
  return text.slice(0, 90).replace(/[^ -~]/g, '.')
}
