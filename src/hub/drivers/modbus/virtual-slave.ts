import type { VirtualLineDevice } from '../contract/virtual-device.js'
import type { Framing } from './framing.js'
import { EXCEPTION_BIT, FUNCTION_OF } from './pdu.js'
import { holdsBits, type Register, TABLES, type Table } from './register-map.js'
import { readValue, wordsOf, writeValue } from './register-value.js'

/** A request of functions 1 to 4: function, start, count. */
const REQUEST_PDU_BYTES = 5
const LIMITS: Readonly<Record<Table, number>> = { coil: 2000, discrete: 2000, holding: 125, input: 125 }

export interface SlaveOptions {
  readonly unitId: number
  readonly registers: readonly Register[]
  readonly identity?: { readonly holding?: number; readonly input?: number; readonly value: number }
}

/** A slave that has the registers of its device's options and no others; it refuses as the standard says. */
export class VirtualSlave implements VirtualLineDevice {
  readonly bus = 'line'
  readonly #options: SlaveOptions
  readonly #framing: Framing
  readonly #registers: ReadonlyMap<string, Register>
  /** Bits, or words. */
  readonly #tables = new Map<Table, Map<number, number>>(TABLES.map((table) => [table, new Map()]))
  #send: ((bytes: Uint8Array) => void) | undefined
  #came: Buffer = Buffer.alloc(0)

  constructor(options: SlaveOptions, framing: Framing) {
    this.#options = options
    this.#framing = framing
    this.#registers = new Map(options.registers.map((register) => [register.channel, register]))
    const { identity } = options
    if (identity?.holding !== undefined) this.#tables.get('holding')?.set(identity.holding, identity.value)
    if (identity?.input !== undefined) this.#tables.get('input')?.set(identity.input, identity.value)
    for (const register of options.registers) this.#write(register, 0)
  }

  set(channel: string, value: number): void {
    const register = this.#registers.get(channel)
    if (register === undefined) throw new RangeError(`there is no register ${channel}`)
    this.#write(register, (value - register.offset) / register.scale)
  }

  /** Registers are in lasting memory. */
  powerCycle(): void {
    this.#came = Buffer.alloc(0)
  }

  connect(send: (bytes: Uint8Array) => void): void {
    this.#send = send
  }

  disconnect(): void {
    this.#send = undefined
  }

  receive(bytes: Uint8Array): void {
    this.#came = Buffer.concat([this.#came, bytes])
    const { headBytes, overheadBytes } = this.#framing
    const frameBytes = REQUEST_PDU_BYTES + overheadBytes
    while (this.#came.length >= frameBytes) {
      const frame = this.#came.subarray(0, frameBytes)
      const flaw = this.#framing.flaw(frame, this.#options.unitId)
      if (flaw !== undefined && flaw.fault !== 'wrong_source') {
        this.#came = this.#came.subarray(1)
        continue
      }
      this.#came = this.#came.subarray(frameBytes)
      if (flaw === undefined) this.#answer(frame, frame.subarray(headBytes, headBytes + REQUEST_PDU_BYTES))
    }
  }

  #answer(frame: Buffer, request: Buffer): void {
    const answer = this.#framing.wrap(this.#options.unitId, this.#answerPdu(request))
    // Over TCP the answer has the transaction of its request.
    if (this.#framing.headBytes > 1) answer.set(frame.subarray(0, 2))
    this.#send?.(answer)
  }

  #answerPdu(request: Buffer): Uint8Array {
    const functionCode = request[0]
    const refuse = (code: number) => Uint8Array.of(functionCode | EXCEPTION_BIT, code)
    const table = TABLES.find((one) => FUNCTION_OF[one] === functionCode)
    if (table === undefined) return refuse(1)
    const start = request.readUInt16BE(1)
    const count = request.readUInt16BE(3)
    if (count < 1 || count > LIMITS[table]) return refuse(3)
    const held = Array.from({ length: count }, (_, i) => this.#tables.get(table)?.get(start + i))
    const values = held.filter((value) => value !== undefined)
    if (values.length < count) return refuse(2)
    const data = holdsBits(table) ? packBits(values) : packWords(values)
    return Uint8Array.of(functionCode, data.length, ...data)
  }

  #write(register: Register, raw: number): void {
    const { type, order, bit, address } = register
    const table = this.#tables.get(register.table)!
    if (holdsBits(register.table)) {
      table.set(address, raw === 0 ? 0 : 1)
      return
    }
    const bytes = Buffer.from(writeValue(raw, type, order, bit))
    for (let word = 0; word < wordsOf(type); word++) {
      const value = bytes.readUInt16BE(word * 2)
      const before = table.get(address + word) ?? 0
      // Bits of one register are set one by one: the others stay.
      const mask = readValue(Uint8Array.from(writeValue(1, 'bit', order, bit)), 'u16', 'ABCD')
      table.set(address + word, type === 'bit' ? (before & ~mask) | value : value)
    }
  }
}

function packBits(bits: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(bits.length / 8))
  bits.forEach((bit, at) => {
    bytes[at >> 3] |= bit << (at & 7)
  })
  return bytes
}

function packWords(words: readonly number[]): Uint8Array {
  return Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]))
}
