import { QUALITY } from '#core/model/quality'
import type { Decoded, Note } from '../contract/decoded.js'
import type { Fault } from '../contract/fault.js'

/** Bytes of the scratchpad, the last one its CRC (datasheet 19-7487, figure 8). */
const SCRATCHPAD_BYTES = 9
/** The temperature register after power came, before any conversion: +85 °C (datasheet, table 1, note). */
const POWER_ON = 0x0550
/** Undefined low bits by resolution of 9 to 12 bits (datasheet, figure 4). */
const UNDEFINED_BITS = [3, 2, 1, 0] as const

/** CRC-8 of Dallas/Maxim: x⁸ + x⁵ + x⁴ + 1, bits reversed, begin 0 (application note 27). */
export function dallasCrc(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x8c : crc >>> 1
  }
  return crc
}

/**
 * What the kernel's w1_therm says of one conversion (`w1_slave`): nine bytes in hexadecimal with `crc=… YES`, and the
 * bytes once more with the temperature, which we compute ourselves from the bytes.
 */
export function decodeW1Slave(raw: Uint8Array, note?: Note): Decoded {
  const text = Buffer.from(raw).toString('latin1')
  const hex = /^((?:[\da-f]{2} ){9}): crc=[\da-f]{2} (YES|NO)/i.exec(text)
  if (hex === null) {
    const message = `w1_slave says ${JSON.stringify(text.slice(0, 60))}: see that it is a thermometer.`
    return { fault: 'decode', message }
  }
  const bytes = Uint8Array.from(hex[1]!.trim().split(' '), (byte) => Number.parseInt(byte, 16))
  note?.('scratchpad', hex[1]!.trim())
  return faultOf(bytes, hex[2] === 'YES') ?? temperatureOf(bytes, note)
}

function faultOf(bytes: Uint8Array, isYes: boolean): Fault | undefined {
  if (bytes.every((byte) => byte === 0xff)) {
    return { fault: 'nack', message: 'The sensor does not answer: check its wiring and the pull-up of the data line.' }
  }
  // All zero has a fitting CRC: the configuration byte of a real one is never 0 (datasheet, figure 10).
  if (bytes.every((byte) => byte === 0)) {
    return { fault: 'io', message: 'The data line is held low: look for a short circuit.' }
  }
  if (!isYes || dallasCrc(bytes.subarray(0, SCRATCHPAD_BYTES - 1)) !== bytes[SCRATCHPAD_BYTES - 1]) {
    return { fault: 'crc', message: 'The CRC does not fit: use a shorter cable, a stronger pull-up, or shield it.' }
  }
  return undefined
}

function temperatureOf(bytes: Uint8Array, note?: Note): Decoded {
  const register = bytes[0]! | (bytes[1]! << 8)
  const resolution = (bytes[4]! >> 5) & 3
  const signed = (register << 16) >> 16
  const undefinedBits = UNDEFINED_BITS[resolution]!
  const value = ((signed >> undefinedBits) << undefinedBits) / 16
  note?.('register', register)
  note?.('resolution', resolution + 9)
  note?.('temperature', value, 'register ÷ 16')
  // 85.000 °C for real looks the same: the value goes on, marked.
  const quality = register === POWER_ON ? QUALITY.sentinel : QUALITY.good
  return [{ ageUs: 0, values: [value], quality: [quality] }]
}
