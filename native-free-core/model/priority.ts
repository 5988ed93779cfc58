/** Urgency of a reading. The number is the wire and slot form, and the order in which an owner reads: 0 first. */
export const PRIORITY = { high: 0, normal: 1, low: 2 } as const

export type PriorityName = keyof typeof PRIORITY
export type Priority = (typeof PRIORITY)[PriorityName]

/** Indexed by {@link Priority}; also the suffix of a shard's stream keys. */
export const PRIORITY_NAMES = ['high', 'normal', 'low'] as const satisfies readonly PriorityName[]

const SPELLINGS: Readonly<Record<string, Priority>> = { HIGH: 0, NORMAL: 1, MEDIUM: 1, LOW: 2, '0': 0, '1': 1, '2': 2 }

/** Reads `HIGH|NORMAL|MEDIUM|LOW` in any case, or the original's 0, 1, 2; `undefined` for anything else. */
export function parsePriority(raw: unknown): Priority | undefined {
  return typeof raw === 'string' || typeof raw === 'number' ? SPELLINGS[String(raw).toUpperCase()] : undefined
}
