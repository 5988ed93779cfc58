/**
 * Hash slots of a Redis Cluster: which of its 16 384 slots a key belongs to, and tags that spread shards over them.
 * Source: Redis Cluster Specification, "Keys distribution model" and "Hash tags"; CRC-16/XMODEM.
 */
export const SLOTS = 16_384

const CRC_TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc & 0xffff
})

/** 0 .. 16 383. Only what stands between the first `{` and the next `}` counts, if there is anything. */
export function hashSlot(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const counted = close > open + 1 ? key.slice(open + 1, close) : key
  let crc = 0
  for (const byte of Buffer.from(counted)) crc = ((crc << 8) & 0xffff) ^ CRC_TABLE[(crc >> 8) ^ byte]
  return crc % SLOTS
}

/** How the hash tags of a queue's shards are made. What a queue was made with stays with it. */
export type TagScheme = 'plain' | 'spread'

/**
 * The hash tags of all shards of a queue, by shard.
 *
 * - `plain`: `queue:shard`, as chance has it: of eight shards on three masters one may well have one and another five.
 * - `spread`: `queue:shard~n` with the smallest `n` that puts shard s of S into the s-th of S equal ranges of slots:
 *   masters own ranges of slots, so shards are shared out as evenly as the slots are.
 *
 * Cost: about `shards` hashes for each shard.
 */
export function shardTags(queueName: string, shards: number, scheme: TagScheme): string[] {
  return Array.from({ length: shards }, (_, shard) => {
    const plain = `${queueName}:${shard}`
    if (scheme === 'plain') return plain
    for (let n = 0; ; n++) {
      const tag = `${plain}~${n}`
      if (Math.floor((hashSlot(tag) * shards) / SLOTS) === shard) return tag
    }
  })
}
