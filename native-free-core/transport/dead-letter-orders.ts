import type { DeadLetterOrder } from './batch-stream.js'

/** The orders of each entry; its first one decides whether it is buried whole, by that alone, or in parts. */
export function deadLettersByEntry(orders: readonly DeadLetterOrder[]): Map<string, DeadLetterOrder[]> {
  const byEntry = new Map<string, DeadLetterOrder[]>()
  for (const order of orders) {
    const known = byEntry.get(order.id)
    if (known === undefined) byEntry.set(order.id, [order])
    else if (known[0].part !== undefined && order.part !== undefined) known.push(order)
  }
  return byEntry
}
