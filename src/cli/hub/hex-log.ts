/** Transactions of a bus as lines of hexadecimal. */
import type { Fault } from '../../hub/drivers/contract/fault.js'

/** A transaction in JSON: what a trace sends, and `read --explain` shows. */
export interface HexTransaction {
  /** ISO 8601. */
  readonly at: string
  readonly call: string
  readonly tookMs: number
  /** Each frame, two digits a byte. */
  readonly sent: readonly string[]
  readonly received: readonly string[]
  readonly fault?: Fault
}

/** More bytes of one frame are cut: the line is for people. */
const SHOWN_BYTES = 64

/** `0.41 ms  write-read  > F7  < 65 5A C0` */
export function transactionLine({ call, tookMs, sent, received, fault }: HexTransaction): string {
  const parts = [
    `${tookMs.toFixed(2).padStart(8)} ms`,
    call.padEnd(10),
    ...sent.map((frame) => `> ${spaced(frame)}`),
    ...received.map((frame) => `< ${spaced(frame)}`),
    ...(fault === undefined ? [] : [`! ${fault.fault}: ${fault.message}`]),
  ]
  return parts.join('  ')
}

/** Two digits a byte, upper case, in pairs. */
export function spaced(hex: string): string {
  const bytes = hex.match(/../g) ?? []
  const text = bytes.slice(0, SHOWN_BYTES).join(' ').toUpperCase()
  return bytes.length > SHOWN_BYTES ? `${text} … (${bytes.length} bytes)` : text
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
