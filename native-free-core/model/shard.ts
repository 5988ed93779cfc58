/**
 * The shard of a device: a source stays on one shard, so that its samples stay in order. FNV-1a over UTF-16 code units,
 * finished with a multiplicative mix so that names that differ in the last digit spread well. Changing it moves devices
 * between shards: it is part of the stored format.
 *
 * @param device name of the device
 * @param shards number of shards, 1..64
 * @returns 0..shards-1
 */
export function shardOf(device: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < device.length; at++) hash = Math.imul(hash ^ device.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  hash ^= hash >>> 13
  return (hash >>> 0) % shards
}
