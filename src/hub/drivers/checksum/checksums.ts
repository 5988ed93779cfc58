/** Checksums that serial devices append, over plain bytes. Pure. Cost: O(bytes), no tables. */
import { crc32 as zlibCrc32 } from 'node:zlib'

/** All bytes XORed, as NMEA 0183 does. 0..255. */
export function xor8(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum ^= byte
  return sum
}

/** All bytes added, modulo 256. */
export function sum8(bytes: Uint8Array): number {
  let sum = 0
  for (const byte of bytes) sum = (sum + byte) & 0xff
  return sum
}

/** CRC-8 of polynomial 0x07, initial value 0 (CRC-8/SMBUS): `123456789` gives 0xF4. */
export function crc8(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80 ? ((crc << 1) ^ 0x07) & 0xff : crc << 1
  }
  return crc
}

/**
 * CRC-16/MODBUS: reflected polynomial 0xA001, initial value 0xFFFF ("Modbus over serial line" V1.02, 6.2.2);
 * `123456789` gives 0x4B37. On the wire its low byte comes first.
 */
export function crc16Modbus(bytes: Uint8Array): number {
  let crc = 0xffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1
  }
  return crc
}

/** CRC-32 of ISO-HDLC (zip, Ethernet): `123456789` gives 0xCBF43926. */
export function crc32(bytes: Uint8Array): number {
  return zlibCrc32(bytes)
}
