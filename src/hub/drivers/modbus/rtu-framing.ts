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
  readonly #request: Uint8Array
  readonly #unitId: number
  readonly #functionCode: number
  readonly #answerBytes: number
  #start = 0
  #stranger: Flaw | undefined

  constructor(request: Uint8Array, answerPduBytes: number) {
    this.#request = request
    this.#unitId = request[0]
    this.#functionCode = request[1]
    this.#answerBytes = answerPduBytes + OVERHEAD_BYTES
  }

  readonly length = (soFar: Uint8Array): number | undefined => {
    // Noise may come first (transceivers that turn round give a byte of 0x00 or 0xFF), also a stranger's frame.
    for (let at = 0; at + EXCEPTION_FRAME_BYTES <= soFar.length; at++) {
      const bytes = this.#ownLength(soFar, at)
      if (bytes === undefined || at + bytes > soFar.length || !isWhole(soFar.subarray(at, at + bytes))) continue
      this.#start = at
      return at + bytes
    }
    // Transceivers that hear themselves give the request back first.
    const echoed = this.#echoedBytes(soFar)
    const mayBeEcho = echoed === soFar.length
    this.#stranger = mayBeEcho ? this.#loneEcho(echoed) : strangerIn(soFar.subarray(echoed), this.#unitId)
    // Damaged: the bytes are all here, so waiting brings no more.
    const bytes = mayBeEcho || this.#stranger !== undefined ? undefined : this.#ownLength(soFar, echoed)
    if (bytes !== undefined && soFar.length >= echoed + bytes) {
      this.#start = echoed
      return echoed + bytes
    }
    return soFar.length >= 2 * MAX_FRAME_BYTES ? soFar.length : undefined
  }

  frame(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.#start)
  }

  stranger(): Flaw | undefined {
    return this.#stranger
  }

  /** The length of our answer or of our refusal, when a frame that starts `at` could be one. */
  #ownLength(bytes: Uint8Array, at: number): number | undefined {
    if (bytes[at] !== this.#unitId) return undefined
    if (bytes[at + 1] === (this.#functionCode | EXCEPTION_BIT)) return EXCEPTION_FRAME_BYTES
    const isOurs = bytes[at + 1] === this.#functionCode && bytes[at + 2] === this.#answerBytes - 5
    return isOurs ? this.#answerBytes : undefined
  }

  /** How many first bytes are the request's own; all of them or, while that may still become so, all that came. */
  #echoedBytes(bytes: Uint8Array): number {
    const most = Math.min(bytes.length, this.#request.length)
    return bytes.subarray(0, most).every((byte, at) => byte === this.#request[at]) ? most : 0
  }

  #loneEcho(bytes: number): Flaw | undefined {
    if (bytes < this.#request.length) return undefined
    return { fault: 'timeout', message: 'only the request itself came back: no device answered' }
  }
}

/** A whole frame that is no answer to us. */
function strangerIn(bytes: Uint8Array, unitId: number): Flaw | undefined {
  if (bytes.length < EXCEPTION_FRAME_BYTES) return undefined
  const length = bytes[1] & EXCEPTION_BIT ? EXCEPTION_FRAME_BYTES : bytes[2] + OVERHEAD_BYTES + 2
  if (bytes.length < length || !isWhole(bytes.subarray(0, length))) return undefined
  const message =
    bytes[0] === unitId
      ? 'an answer to an earlier request came: raise the timeout over what the device needs'
      : `unit ${bytes[0]} answered: look for two devices of one unit id, or a second master`
  return { fault: 'wrong_source', message }
}
