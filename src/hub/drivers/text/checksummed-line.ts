import { crc8, crc16Modbus, crc32, sum8, xor8 } from '../checksum/checksums.js'

export const CHECKSUM_KINDS = ['xor8', 'sum8', 'crc8', 'crc16-modbus', 'crc32'] as const
export type ChecksumKind = (typeof CHECKSUM_KINDS)[number]

const KINDS: Readonly<Record<ChecksumKind, { bytes: number; of: (bytes: Uint8Array) => number }>> = {
  xor8: { bytes: 1, of: xor8 },
  sum8: { bytes: 1, of: sum8 },
  crc8: { bytes: 1, of: crc8 },
  'crc16-modbus': { bytes: 2, of: crc16Modbus },
  crc32: { bytes: 4, of: crc32 },
}

/** A checksum that ends a line of text as hexadecimal digits, or a binary frame as bytes, the lowest first. */
export interface LineChecksum {
  readonly kind: ChecksumKind
  /** Between the text and its checksum. Default `*`. */
  readonly separator?: string
  /** So many first bytes are not in the sum, e.g. 1 for the `$` of NMEA. Default 0. */
  readonly skip?: number
}

export function checksumBytes({ kind }: LineChecksum): number {
  return KINDS[kind].bytes
}

/** The line without its checksum, or what is wrong. Blanks and `\r` at its end do not count. */
export function stripChecksum(line: Buffer, checksum: LineChecksum): Buffer | 'checksum_missing' | 'checksum_wrong' {
  const { kind, separator = '*', skip = 0 } = checksum
  const at = line.lastIndexOf(separator)
  const digits = at === -1 ? '' : line.toString('latin1', at + Buffer.byteLength(separator)).trimEnd()
  if (digits.length !== 2 * KINDS[kind].bytes || !/^[\dA-F]+$/i.test(digits)) return 'checksum_missing'
  const text = line.subarray(0, at)
  return KINDS[kind].of(text.subarray(skip)) === Number.parseInt(digits, 16) ? text : 'checksum_wrong'
}

/** Whether a binary frame's last bytes are its checksum. */
export function frameChecksumFits(frame: Uint8Array, checksum: LineChecksum): boolean {
  const { bytes, of } = KINDS[checksum.kind]
  const end = frame.length - bytes
  let sum = 0
  for (let at = bytes - 1; at >= 0; at--) sum = sum * 256 + frame[end + at]
  return of(frame.subarray(checksum.skip ?? 0, end)) === sum
}
