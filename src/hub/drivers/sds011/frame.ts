/** Frames of SDS011: 10 bytes from it (`AA C0` readings, `AA C5` answers), 19 to it. */
import { sum8 } from '../checksum/checksums.js'

export const FRAME_BYTES = 10
export const COMMAND_BYTES = 19
export const HEAD = 0xaa
export const TAIL = 0xab
export const READING = 0xc0
export const ANSWER = 0xc5

export const SET_MODE = 0x02
export const SET_SLEEP = 0x06
export const SET_PERIOD = 0x08

/** Writes a setting, of whatever device is on the line. */
export function setCommand(code: number, value: number): Uint8Array {
  const frame = new Uint8Array(COMMAND_BYTES)
  frame.set([HEAD, 0xb4, code, 1, value])
  frame.set([0xff, 0xff], 15)
  frame[17] = sum8(frame.subarray(2, 17))
  frame[18] = TAIL
  return frame
}

/** A frame from the sensor. */
export function deviceFrame(kind: number, data: readonly number[], id: number): Uint8Array {
  const body = [...data, id >> 8, id & 0xff]
  return Uint8Array.of(HEAD, kind, ...body, sum8(Uint8Array.from(body)), TAIL)
}

export function checksumFits(frame: Uint8Array): boolean {
  return sum8(frame.subarray(2, 8)) === frame[8]
}
