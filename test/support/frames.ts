import fc from 'fast-check'
import type { Framer } from '#src/hub/drivers/contract/stream-driver'

export interface Framed {
  readonly frames: Buffer[]
  readonly skipped: number
}

/** All frames of chunks, taken as soon as they are whole. */
export function framesOf(framer: Framer, chunks: readonly Uint8Array[]): Framed {
  const frames: Buffer[] = []
  let skipped = 0
  for (const chunk of chunks) {
    // Bytes are only valid during the call: what the framer keeps it must have copied.
    const lent = Uint8Array.from(chunk)
    framer.push(lent)
    lent.fill(0)
    for (let frame = framer.next(); frame !== undefined; frame = framer.next()) frames.push(Buffer.from(frame))
    skipped += framer.takeSkipped()
  }
  return { frames, skipped }
}

/** Cuts bytes at any places. */
export function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const at = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length]
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end))
}

export const cuts = fc.array(fc.nat(400), { maxLength: 12 })
