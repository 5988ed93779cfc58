import type { HandlerEntry, PackedEntry } from '#core/protocol/handler-messages'
import type { LeasedEntry } from '#core/transport/batch-stream'

/**
 * Copies bodies into one buffer of exactly their size, fit to be transferred. Bodies as they come from a store are views
 * of larger buffers (a socket's read, a memory map): transferring or cloning those would take all of the buffer along.
 */
export function packBodies<Entry extends { id: string; body: Uint8Array }>(
  entries: readonly Entry[],
): { places: PackedEntry[]; bodies: Uint8Array } {
  let bytes = 0
  for (const { body } of entries) bytes += body.byteLength
  const bodies = new Uint8Array(bytes)
  const places: PackedEntry[] = []
  let offset = 0
  for (const { id, body } of entries) {
    bodies.set(body, offset)
    places.push({ id, offset, length: body.byteLength })
    offset += body.byteLength
  }
  return { places, bodies }
}

/** The entries of a handler request and their bodies. */
export function packEntries(leased: readonly (LeasedEntry & Pick<HandlerEntry, 'skip' | 'isolate' | 'parts'>)[]): {
  entries: HandlerEntry[]
  bodies: Uint8Array
} {
  const { places, bodies } = packBodies(leased)
  const entries = places.map((place, index): HandlerEntry => {
    const { correlationId, handler, skip, isolate, parts } = leased[index]
    return {
      ...place,
      ...{ correlationId, handler },
      ...(skip !== undefined && { skip }),
      ...(isolate && { isolate }),
      ...(parts && { parts }),
    }
  })
  return { entries, bodies }
}
