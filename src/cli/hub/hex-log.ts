/** Transactions of a bus as lines of hexadecimal. */
import type { HexTransaction } from '../../hub/devices/hex-transaction.js'

/** More bytes of one frame are cut: the line is for people. */
const SHOWN_BYTES = 64

/** `0.41 ms  write-read  > F7  < 65 5A C0` */
export function transactionLine({
  call,
  tookMs,
  sent,
  received,
  fault,
}: Omit<HexTransaction, 'at' | 'device'>): string {
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
