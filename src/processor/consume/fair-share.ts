/**
 * How many shards a member should own: together the members own all, and no two differ by more than one. Every member
 * computes the same from the same list.
 *
 * @param members sorted; 0 for a member that is not in it
 */
export function fairShare(members: readonly string[], member: string, shards: number): number {
  const place = members.indexOf(member)
  if (place === -1) return 0
  return Math.floor(shards / members.length) + (place < shards % members.length ? 1 : 0)
}

/**
 * All shards, those first that fall to the member when everybody begins with their own: members that start together do
 * not ask for the same ones.
 */
export function preferredShards(members: readonly string[], member: string, shards: number): number[] {
  const place = Math.max(0, members.indexOf(member))
  const count = Math.max(1, members.length)
  const order: number[] = []
  for (let round = 0; round < count; round++) {
    for (let shard = (place + round) % count; shard < shards; shard += count) order.push(shard)
  }
  return order
}
