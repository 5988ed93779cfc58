import { PRIORITY_NAMES } from '../../model/priority.js'
import { shardTags, type TagScheme } from './hash-slot.js'

/**
 * Names of all keys. The part in braces is the hash tag: keys that one script touches share it, so they share a slot of
 * a Redis Cluster. Table with types and meaning: `docs/redis.md`.
 */
export interface ShardKeys {
  /** Indexed by priority. */
  streams: readonly string[]
  owner: string
  /** Rows of handler state. */
  state: string
  /** High water per producer and epoch. */
  highWater: string
  counters: string
  delayed: string
  held: string
  dead: string
  /** Bodies of the dead letters by their ids. */
  deadBodies: string
  /** Groups of the dead letters by fingerprint. */
  deadGroups: string
  deliveries: string
}

/** @param tag of the shard, see `shardTags` */
export function shardKeys(tag: string): ShardKeys {
  const key = (suffix: string) => `{${tag}}:${suffix}`
  return {
    streams: PRIORITY_NAMES.map(key),
    owner: key('owner'),
    state: key('state'),
    highWater: key('hwm'),
    counters: key('ctl'),
    delayed: key('delayed'),
    held: key('held'),
    dead: key('dead'),
    deadBodies: key('dead-bodies'),
    deadGroups: key('dead-groups'),
    deliveries: key('deliveries'),
  }
}

export interface QueueKeys {
  meta: string
  members: string
  /** What processors say of their backlog. */
  pressure: string
  /** Notes of those who work on the dead letters. */
  deadNotes: string
}

/** Keys of all shards of a queue, by shard. */
export function keysOfShards(queueName: string, shards: number, scheme: TagScheme): ShardKeys[] {
  return shardTags(queueName, shards, scheme).map(shardKeys)
}

export function queueKeys(queueName: string): QueueKeys {
  const key = (suffix: string) => `{${queueName}}:${suffix}`
  return { meta: key('meta'), members: key('members'), pressure: key('pressure'), deadNotes: key('dead-notes') }
}

export interface InboxKeys {
  /** The list that anybody pushes to. */
  list: string
  owner: string
  /** List of what a waiting owner was woken with. */
  arrived: string
  /** Stream of tasks taken and not settled. */
  taken: string
  counters: string
  /** The original's dead-letter list. */
  dead: string
  /** A list that is never there, on the slot of the inbox: for a settlement that writes no dead letters. */
  noDead: string
}

/** `{queue}:...` hashes to the slot of `queue` itself; the dead-letter list, whose name is given, does not. */
export function inboxKeys(queueName: string): InboxKeys {
  const key = (suffix: string) => `{${queueName}}:inbox:${suffix}`
  return {
    list: queueName,
    owner: key('owner'),
    arrived: key('arrived'),
    taken: key('taken'),
    counters: key('ctl'),
    dead: deadLetterList(queueName),
    noDead: key('no-dead'),
  }
}

/** `telemetry:tasks` -> `telemetry:dlq`; a name without a colon gets `:dlq`. */
function deadLetterList(queueName: string): string {
  const colon = queueName.lastIndexOf(':')
  return `${colon < 0 ? queueName : queueName.slice(0, colon)}:dlq`
}
