import type { Evidence, NumberedSample } from './evidence.js'
import { type HubEnd, NO_HUB } from './journal.js'

/** Accepted samples without effect that are accounted for all the same. */
export interface MissingAccount {
  /**
   * Replied to with 202 and in no store when the hub was killed: they were in its memory only. For each kill: how many,
   * and how many there could be at most (taken in, less what its last figures counted as stored or on disk).
   */
  inHubMemory: { hub: number; samples: number; atMost: number }[]
  /** Pushed tasks that Redis had confirmed and not yet written to its file when it was killed. */
  inRedisMemory: number
  /** Counted as dropped by the hub's own ledger, by reason. */
  counted: Record<string, number>
}

interface MissingVerdict {
  account: MissingAccount
  lost: NumberedSample[]
}

/**
 * Accounts for accepted samples that have no effect.
 *
 * A killed hub loses the end of each device's samples and nothing before it: batches of a shard are stored in order. So a
 * missing sample with a later effected one of the same hub and device is no victim of the kill, and neither is one of
 * which the hub had said that it is stored. What is left has to be
 * covered by what the hubs counted as dropped; the rest is lost.
 */
export function judgeMissing(evidence: Evidence, dead: ReadonlyMap<string, readonly number[]>): MissingVerdict {
  const ends = new Map(evidence.hubs.map((end) => [end.hub, end]))
  const tails = new Map<number, NumberedSample[]>()
  const others: NumberedSample[] = []
  let inRedisMemory = 0
  for (const [device, ranges] of evidence.offers) {
    const arrived = new Set([...(evidence.stored.get(device) ?? []), ...(dead.get(device) ?? [])])
    const lastArrived = new Map<number, number>()
    for (const { hub, first, count } of ranges) {
      for (let number = first; number < first + count; number++) if (arrived.has(number)) lastArrived.set(hub, number)
    }
    for (const { hub, first, count, outcome } of ranges) {
      if (outcome === 'uncertain') continue
      for (let number = first; number < first + count; number++) {
        if (arrived.has(number)) continue
        const isTail =
          outcome === 'accepted' && ends.get(hub)?.endedBy === 'kill' && number > (lastArrived.get(hub) ?? -1)
        if (isTail) tails.set(hub, [...(tails.get(hub) ?? []), { device, number }])
        else if (hub === NO_HUB && evidence.atRisk.has(number)) inRedisMemory++
        else others.push({ device, number })
      }
    }
  }
  const lost: NumberedSample[] = []
  const inHubMemory = [...tails].map(([hub, samples]) => {
    const atMost = Math.max(0, offeredTo(evidence, hub) - (ends.get(hub) as HubEnd).outlives)
    lost.push(...samples.slice(atMost))
    return { hub, samples: Math.min(samples.length, atMost), atMost }
  })
  const counted = countedDrops(evidence.hubs)
  const covered = Object.values(counted).reduce((sum, count) => sum + count, 0)
  lost.push(...others.slice(covered))
  return { account: { inHubMemory, inRedisMemory, counted }, lost }
}

function offeredTo({ offers }: Evidence, hub: number): number {
  return [...offers.values()].flat().reduce((sum, range) => sum + (range.hub === hub ? range.count : 0), 0)
}

function countedDrops(hubs: readonly HubEnd[]): Record<string, number> {
  const counted: Record<string, number> = {}
  for (const { droppedBy } of hubs) {
    for (const [reason, count] of Object.entries(droppedBy)) {
      if (count > 0) counted[reason] = (counted[reason] ?? 0) + count
    }
  }
  return counted
}
