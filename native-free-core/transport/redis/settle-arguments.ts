import type { Priority } from '../../model/priority.js'
import type { DeadLetterOrder, DeadPart, Settlement } from '../batch-stream.js'
import { deadLettersByEntry } from '../dead-letter-orders.js'
import { fingerprintOf } from '../dead-letters/fingerprint.js'
import type { UnsettledEntry } from './carried-entries.js'
import type { ScriptArgument } from './redis-script.js'

/** Dead letters keep this much of the reason. UTF-8 bytes. */
const MAX_MESSAGE_BYTES = 2048
const MAX_CLASS_BYTES = 128
/** Acks in one command of the script: Lua passes on some thousands of arguments at most. */
const MAX_ACK_GROUP = 1000
const PRIORITIES: readonly Priority[] = [0, 1, 2]

/**
 * The four lists of the settle script's ARGV. Entries that are unknown, settled already or named twice are left out: the
 * first naming counts.
 */
export function settleArguments(
  { ack, retry, deadLetter, state }: Settlement,
  unsettled: ReadonlyMap<string, UnsettledEntry>,
): { args: ScriptArgument[]; settledIds: ReadonlySet<string> } {
  const settledIds = new Set<string>()
  const claim = (id: string): UnsettledEntry | undefined => {
    const entry = settledIds.has(id) ? undefined : unsettled.get(id)
    if (entry !== undefined) settledIds.add(id)
    return entry
  }

  const acked: UnsettledEntry[] = []
  for (const id of ack) {
    const entry = claim(id)
    if (entry) acked.push(entry)
  }
  const acks = ackGroups(acked)
  const retries: ScriptArgument[][] = []
  for (const { id, attempts, afterMs, handler = '', isUntouched } of retry) {
    const entry = claim(id)
    const delayMs = Math.max(0, Math.ceil(afterMs))
    if (!entry) continue
    const deliveries = isUntouched ? 0 : entry.deliveryCount
    retries.push([entry.priority, entry.streamId, attempts, deliveries, delayMs, handler])
  }
  const dead: ScriptArgument[][] = []
  for (const [id, orders] of deadLettersByEntry(deadLetter)) {
    const entry = claim(id)
    if (!entry) continue
    const parts = orders.flatMap((order) => (order.part === undefined ? [] : [partOf(order, order.part)]))
    const { priority, streamId, samples, bytes, attempts, deliveryCount } = entry
    const head = [priority, streamId, samples, bytes, attempts, deliveryCount, ...reasonOf(orders[0])]
    dead.push([...head, parts.length, ...parts.flat()])
  }
  const rows: ScriptArgument[][] = []
  const deletions: string[] = []
  for (const [row, value] of state) {
    if (value === undefined) deletions.push(row)
    else rows.push([row, Buffer.from(value.buffer, value.byteOffset, value.byteLength)])
  }
  const lists = [acks, retries, dead, rows].map((list) => [list.length, ...list.flat()])
  return { args: [...lists.flat(), ...deletions], settledIds }
}

/** Groups of one priority each; see the script. */
function ackGroups(entries: readonly UnsettledEntry[]): ScriptArgument[][] {
  const groups: ScriptArgument[][] = []
  for (const priority of PRIORITIES) {
    const ofPriority = entries.filter((entry) => entry.priority === priority)
    for (let from = 0; from < ofPriority.length; from += MAX_ACK_GROUP) {
      const group = ofPriority.slice(from, from + MAX_ACK_GROUP)
      let allSamples = 0
      let allBytes = 0
      let sizes = ''
      for (const { samples, bytes } of group) {
        allSamples += samples
        allBytes += bytes
        sizes += `${samples},${bytes};`
      }
      const ids = group.map(({ streamId }) => streamId)
      groups.push([priority, group.length, allSamples, allBytes, sizes, ...ids])
    }
  }
  return groups
}

function partOf(order: DeadLetterOrder, { correlationId, samples, firstTakenAtUs, body }: DeadPart): ScriptArgument[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  return [...reasonOf(order), correlationId, samples, firstTakenAtUs, bytes]
}

function reasonOf({ class: kind, message }: DeadLetterOrder): [kind: string, message: string, fingerprint: string] {
  return [cut(kind, MAX_CLASS_BYTES), cut(message, MAX_MESSAGE_BYTES), fingerprintOf(kind, message)]
}

/** The first bytes of a text, without half a character at the end. */
export function cut(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= maxBytes) return text
  let end = maxBytes
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--
  return bytes.toString('utf8', 0, end)
}
