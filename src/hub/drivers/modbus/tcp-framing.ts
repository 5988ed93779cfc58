import type { AnswerSearch, Flaw, Framing } from './framing.js'

/** Transaction, protocol, length, unit. */
const HEAD_BYTES = 7
/** Of the length field: unit and PDU. */
const MAX_LENGTH = 254

/** "MODBUS Messaging on TCP/IP" V1.0b: the MBAP header before each PDU. */
export const TCP_FRAMING: Framing = {
  overheadBytes: HEAD_BYTES,
  headBytes: HEAD_BYTES,
  wrap(unitId, pdu) {
    const frame = new Uint8Array(HEAD_BYTES + pdu.length)
    const view = new DataView(frame.buffer)
    // Milliseconds of the steady clock: two requests may share one only if the first was answered, as one that was not
    // took a whole timeout. So no late answer can pass for a new one, and nothing need be remembered.
    view.setUint16(0, Math.floor(performance.now()) & 0xffff)
    view.setUint16(4, pdu.length + 1)
    frame[6] = unitId
    frame.set(pdu, HEAD_BYTES)
    return frame
  },
  expect: (request) => new TcpAnswerSearch(request),
  flaw(frame, unitId): Flaw | undefined {
    if (lengthAt(frame, 0) !== frame.length) {
      return { fault: 'decode', message: 'this is no Modbus TCP: a serial server needs the driver modbus-rtu' }
    }
    if (frame[6] !== unitId) return { fault: 'wrong_source', message: `unit ${frame[6]} answered: correct unit_id` }
    return undefined
  },
}

/** The length of the frame that starts `at`; NaN: none can. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  if (at + 6 > bytes.length) return Number.NaN
  const length = view.getUint16(at + 4)
  return view.getUint16(at + 2) === 0 && length >= 3 && length <= MAX_LENGTH ? length + 6 : Number.NaN
}

class TcpAnswerSearch implements AnswerSearch {
  readonly #request: Uint8Array
  #start = 0
  #late = 0

  constructor(request: Uint8Array) {
    this.#request = request
  }

  readonly length = (soFar: Uint8Array): number | undefined => {
    let at = 0
    this.#late = 0
    while (at + 6 <= soFar.length) {
      const bytes = lengthAt(soFar, at)
      this.#start = at
      if (Number.isNaN(bytes)) return soFar.length
      if (soFar[at] === this.#request[0] && soFar[at + 1] === this.#request[1]) return at + bytes
      if (at + bytes <= soFar.length) this.#late++
      at += bytes
    }
    return undefined
  }

  frame(bytes: Uint8Array): Uint8Array {
    return bytes.subarray(this.#start)
  }

  stranger(): Flaw | undefined {
    if (this.#late === 0) return undefined
    return { fault: 'wrong_source', message: 'only answers to earlier requests came: raise the timeout' }
  }
}
