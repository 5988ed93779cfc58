import type { AnswerLength } from '../contract/ports.js'

/** How requests and answers are wrapped on one kind of line. */
export interface Framing {
  /** Bytes around a PDU. */
  readonly overheadBytes: number
  /** Bytes before the PDU in a frame. */
  readonly headBytes: number
  /** The whole frame of a request. */
  wrap(unitId: number, pdu: Uint8Array): Uint8Array
  /** Looks for the answer to one request among the bytes that come. */
  expect(request: Uint8Array, answerPduBytes: number): AnswerSearch
  /** What is wrong with a frame that should come from `unitId`, checksum included; `undefined`: nothing. */
  flaw(frame: Uint8Array, unitId: number): Flaw | undefined
}

export interface Flaw {
  readonly fault: 'crc' | 'wrong_source' | 'decode' | 'timeout'
  readonly message: string
}

/** Answers to somebody else, or to an earlier request, may come first: they are passed over, not mistaken for ours. */
export interface AnswerSearch {
  /** For `LinePort.exchange`; ends with the last byte of our answer. */
  readonly length: AnswerLength
  /** Our answer, cut out of what `exchange` gave. */
  frame(bytes: Uint8Array): Uint8Array
  /** What came in place of our answer; `undefined`: nothing that was whole. */
  stranger(): Flaw | undefined
}
