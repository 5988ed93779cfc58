/** Frames of MH-Z19: 9 bytes, 0xFF first, the checksum last. */

export const FRAME_BYTES = 9
export const READ_CO2 = 0x86
export const AUTO_BASELINE = 0x79
export const SET_RANGE = 0x99

/** Two's complement of the sum of bytes 1 to 7. */
export function checksum(frame: Uint8Array): number {
  let sum = 0
  for (let at = 1; at < FRAME_BYTES - 1; at++) sum += frame[at]
  return -sum & 0xff
}

/** A command to the sensor; data is filled up with zeros. */
export function command(code: number, ...data: number[]): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES)
  frame.set([0xff, 0x01, code, ...data])
  frame[FRAME_BYTES - 1] = checksum(frame)
  return frame
}

/** Where the answer to {@link READ_CO2} begins: noise and the answers to other commands may come before it; or -1. */
export function findAnswer(bytes: Uint8Array): number {
  for (let at = 0; at + FRAME_BYTES <= bytes.length; at++) {
    const frame = bytes.subarray(at, at + FRAME_BYTES)
    if (isAnswer(frame) && checksum(frame) === frame[FRAME_BYTES - 1]) return at
  }
  return -1
}

export function isAnswer(frame: Uint8Array): boolean {
  return frame[0] === 0xff && frame[1] === READ_CO2
}

/** For `LinePort.exchange`: ends with the answer, or where no more is to be hoped for. */
export function answerLength(soFar: Uint8Array): number | undefined {
  const found = findAnswer(soFar)
  if (found !== -1) return found + FRAME_BYTES
  if (isAnswer(soFar) && soFar.length >= FRAME_BYTES) return FRAME_BYTES
  return soFar.length >= 4 * FRAME_BYTES ? soFar.length : undefined
}
