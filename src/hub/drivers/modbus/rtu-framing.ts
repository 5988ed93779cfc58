import { crc16Modbus } from '../checksum/checksums.js'
import type { AnswerSearch, Flaw, Framing } from './framing.js'
import { EXCEPTION_BIT } from './pdu.js'

/** "MODBUS over serial line" V1.02: a frame has at most so many bytes. */
const MAX_FRAME_BYTES = 256
const EXCEPTION_FRAME_BYTES = 5
/** Unit and CRC. */
const OVERHEAD_BYTES = 3

/**
 * Unit, PDU, CRC-16. The standard parts frames by 3.5 characters of silence, which a program cannot time (0.8 to 4 ms);
 * here a frame ends where its function and byte count say, and the CRC proves it.
 */
export const RTU_FRAMING: Framing = {
  overheadBytes: OVERHEAD_BYTES,
  headBytes: 1,
  wrap(unitId, pdu) {
    const frame = new Uint8Array(pdu.length + OVERHEAD_BYTES)
    frame[0] = unitId
    frame.set(pdu, 1)
    const crc = crc16Modbus(frame.subarray(0, -2))
    frame.set([crc & 0xff, crc >> 8], frame.length - 2)
    return frame
  },
  expect: (request, answerPduBytes) => new RtuAnswerSearch(request, answerPduBytes),
  flaw(frame, unitId): Flaw | undefined {
    if (!isWhole(frame))
      return { fault: 'crc', message: 'the CRC does not fit: check termination, shield and baud rate' }
    if (frame[0] !== unitId) return { fault: 'wrong_source', message: `unit ${frame[0]} answered` }
    return undefined
  },
}

/** A frame, from its length to its CRC, without what comes after it. */
function isWhole(frame: Uint8Array): boolean {
  if (frame.length < EXCEPTION_FRAME_BYTES) return false
  const crc = crc16Modbus(frame.subarray(0, -2))
  return frame.at(-2) === (crc & 0xff) && frame.at(-1) === crc >> 8
}

class RtuAnswerSearch implements AnswerSearch {
  readonly #unitId: number
  readonly #functionCode: number
  readonly #answerBytes: number
  #start = 0
  #stranger: string | undefined

  constructor(request: Uint8Array, answerPduBytes: number) {
    this.#unitId = request[0]
    this.#functionCode = request[1]
    this.#answerBytes = answerPduBytes + OVERHEAD_BYTES
  }

  readonly length = (soFar: Uint8Array): number | undefined => {
    // Noise may come first (transceivers that turn round give a byte of 0x00 or 0xFF), also a stranger's frame.
    for (let at = 0; at + EXCEPTION_FRAME_BYTES <= soFar.length; at++) {
      const bytes = this.#ownLength(soFar, at)
      if (bytes === undefined || !isWhole(soFar.subarray(at, at + bytes))) continue
      this.#start = at
      return at + bytes
    }
    this.#noticeStranger(soFar)
    // Damaged: the bytes are all here, so waiting brings no more.
    const first = this.#stranger === undefined ? this.#ownLength(soFar, 0) : undefined
    if (first !== undefined && soFar.length >= first) return first
    return soFar.length >= 2 * MAX_FRAME_BYTES ? soFar.length : undefined
  }

  frame(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.#start)
  }

  stranger(): string | undefined {
    return this.#stranger
  }

  /** The length of our answer or of our refusal, when a frame that starts `at` could be one. */
  #ownLength(bytes: Uint8Array, at: number): number | undefined {
    if (bytes[at] !== this.#unitId) return undefined
    if (bytes[at + 1] === (this.#functionCode | EXCEPTION_BIT)) return EXCEPTION_FRAME_BYTES
    const isOurs = bytes[at + 1] === this.#functionCode && bytes[at + 2] === this.#answerBytes - 5
    return isOurs ? this.#answerBytes : undefined
  }

  #noticeStranger(bytes: Uint8Array): void {
    if (bytes.length < EXCEPTION_FRAME_BYTES) return
    const length = bytes[1] & EXCEPTION_BIT ? EXCEPTION_FRAME_BYTES : bytes[2] + OVERHEAD_BYTES + 2
    if (bytes.length < length || !isWhole(bytes.subarray(0, length))) return
    this.#stranger =
      bytes[0] === this.#unitId
        ? 'an answer to an earlier request came: raise the timeout over what the device needs'
        : `unit ${bytes[0]} answered: look for two devices of one unit id, or a second master`
  }
}
