import type { DeadLetterGroup } from '../dead-letters.js'

/** Groups of several shards as groups of all of them, the largest first, `limit` at most. */
export function mergeGroups(groups: readonly DeadLetterGroup[], limit: number): DeadLetterGroup[] {
  const merged = new Map<string, DeadLetterGroup>()
  for (const group of groups) {
    const known = merged.get(group.fingerprint)
    if (known === undefined) {
      merged.set(group.fingerprint, { ...group })
      continue
    }
    known.count += group.count
    if ((group.firstAtMs ?? 0) < (known.firstAtMs ?? 0)) known.firstAtMs = group.firstAtMs
    if ((group.lastAtMs ?? 0) > (known.lastAtMs ?? 0)) known.lastAtMs = group.lastAtMs
  }
  return [...merged.values()].sort((a, b) => b.count - a.count).slice(0, limit)
}
