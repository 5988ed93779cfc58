import type { Priority } from '../../model/priority.js'
import type { LeasedEntry } from '../batch-stream.js'

/** An entry as a reader got it, before it is handed out. */
export interface ReadEntry {
  /** Id within its Redis stream, e.g. `1700000000000-0`. */
  streamId: string
  priority: Priority
  entry: LeasedEntry
}

/** Reply of XREADGROUP: per stream its key and its entries, an entry being its id and its flat fields. */
export type ReadReply = [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][] | null

/** `priority:id`, as the `deliveries` hash has it. */
export function deliveryKey(priority: Priority, streamId: string): string {
  return `${priority}:${streamId}`
}

/** @param formerDeliveries how often former owners had it */
export function readEntry(priority: Priority, streamId: string, fields: Buffer[], formerDeliveries: number): ReadEntry {
  const entry: LeasedEntry = {
    id: entryId(priority, streamId),
    priority,
    deliveryCount: 1 + formerDeliveries,
    attempts: 0,
    handler: '*',
    correlationId: '',
    samples: 0,
    firstTakenAtUs: 0,
    body: new Uint8Array(0),
  }
  for (let i = 0; i + 1 < fields.length; i += 2) assign(entry, fields[i][0], fields[i + 1])
  return { streamId, priority, entry }
}

/** Grows as text, too: within one priority the later entry has the greater id. */
function entryId(priority: Priority, streamId: string): string {
  const dash = streamId.indexOf('-')
  return `${priority}:${streamId.slice(0, dash).padStart(15, '0')}-${streamId.slice(dash + 1).padStart(10, '0')}`
}

/** Field names are single letters; unknown ones are a later version's and are passed over. */
function assign(entry: LeasedEntry, letter: number, value: Buffer): void {
  switch (String.fromCharCode(letter)) {
    case 'b':
      entry.body = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
      break
    case 'c':
      entry.correlationId = value.toString()
      break
    case 'h':
      entry.handler = value.toString()
      break
    case 'n':
      entry.samples = Number(value.toString('latin1'))
      break
    case 't':
      entry.firstTakenAtUs = Number(value.toString('latin1'))
      break
    case 'a':
      entry.attempts = Number(value.toString('latin1'))
      break
    case 'd':
      entry.deliveryCount += Number(value.toString('latin1'))
  }
}
