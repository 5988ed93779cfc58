import type { Fault } from '../drivers/contract/fault.js'
import type { BusTransaction } from './observation.js'

/** A transaction in JSON: what a trace sends, and `read --explain` shows. */
export interface HexTransaction {
  /** ISO 8601, when the device had the bus. */
  readonly at: string
  readonly device: string
  readonly call: string
  readonly tookMs: number
  /** Each frame, two digits a byte. */
  readonly sent: readonly string[]
  readonly received: readonly string[]
  readonly fault?: Fault
}

export function hexTransaction({
  device,
  call,
  startedAtUs,
  tookMs,
  sent,
  received,
  fault,
}: BusTransaction): HexTransaction {
  return {
    at: isoOf(startedAtUs),
    device,
    call,
    tookMs: Number(tookMs.toFixed(3)),
    sent: sent.map(hexOf),
    received: received.map(hexOf),
    ...(fault === undefined ? {} : { fault }),
  }
}

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** ISO 8601 with milliseconds. */
export function isoOf(us: number): string {
  return new Date(us / 1000).toISOString()
}
