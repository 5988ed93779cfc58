import { SLOTS } from './hash-slot.js'
import { addressText, type RedisTarget } from './redis-connection.js'
import type { RedisAddress } from './redis-options.js'

/** A server that holds keys. Nodes of the same name are the same server. */
export interface RedisNode {
  readonly name: string
  readonly target: RedisTarget
}

/** Which server holds which keys, and how one gets to know when that changes. */
export interface RedisTopology {
  /** For messages. */
  readonly where: string
  readonly isCluster: boolean
  /** The node that holds a key. @throws TLM_STREAM_UNAVAILABLE no node of the cluster says which */
  nodeOf(key: string): Promise<RedisNode>
  /** All that hold keys. @throws TLM_STREAM_UNAVAILABLE */
  masters(): Promise<readonly RedisNode[]>
  /** What it said was found to be wrong, or a node does not serve: it looks again before it answers next. */
  doubt(): void
  /** A node has said who holds a slot now. */
  moved(slot: number, to: RedisAddress): void
}

/** A node of a cluster; its name is its address. */
export function nodeAt(address: RedisAddress): RedisNode {
  return { name: addressText(address), target: address }
}

/**
 * Slot and new holder in a redirection such as `MOVED 3999 127.0.0.1:6381`; `undefined` for anything else, also for one
 * without a host: the cluster is asked then.
 */
export function readMoved(message: string): { slot: number; to: RedisAddress } | undefined {
  const match = /^MOVED (\d+) (.+):(\d+)$/.exec(message.trim())
  if (match === null || Number(match[1]) >= SLOTS) return undefined
  return { slot: Number(match[1]), to: { host: match[2], port: Number(match[3]) } }
}
