/** Lua that the scripts of the dead letters share; it becomes part of their text. */

/**
 * `countGroup(groups, mark, by, at, kind, message)`: adds to the count of a fingerprint's group; `mark` may be nil (a
 * letter of an earlier version is in no group). A group is `{count, first, last, class, message}`.
 */
export const COUNT_GROUP = `
local function countGroup(groups, mark, by, at, kind, message)
  if not mark then return end
  local packed = redis.call('HGET', groups, mark)
  local group = packed and cmsgpack.unpack(packed)
  if not group then
    if by < 0 then return end
    group = {0, at, at, kind, message}
  end
  group[1] = group[1] + by
  if by > 0 then group[3] = at end
  if group[1] <= 0 then
    redis.call('HDEL', groups, mark)
  else
    redis.call('HSET', groups, mark, cmsgpack.pack(group))
  end
end
`

/**
 * `removeDead(keys, entry)` with `keys = {dead, bodies, groups, counters}`: takes a letter, as XRANGE gives it, out of the
 * first two; `countRemoved(keys)` takes all that were removed so out of the others: once, at the end. Needs
 * {@link COUNT_GROUP}. About 15 us a letter.
 */
export const REMOVE_DEAD = `
local removedBytes, removedByGroup = 0, {}

local function removeDead(keys, entry)
  for i = 1, #entry[2], 2 do
    local name, value = entry[2][i], entry[2][i + 1]
    if name == 'f' then
      removedByGroup[value] = (removedByGroup[value] or 0) + 1
    elseif name == 'z' then
      removedBytes = removedBytes + value
    end
  end
  redis.call('XDEL', keys[1], entry[1])
  redis.call('HDEL', keys[2], entry[1])
end

local function countRemoved(keys)
  for mark, count in pairs(removedByGroup) do countGroup(keys[3], mark, 0 - count) end
  if removedBytes > 0 then redis.call('HINCRBY', keys[4], 'dead-bytes', 0 - removedBytes) end
end
`

/**
 * `trimDead(keys, maxEntries, maxBytes, oldestMs, most)`: drops the oldest letters beyond the bounds, `most` of them at
 * most, and counts them by reason; returns how many. Needs {@link REMOVE_DEAD}; to be called once.
 */
export const TRIM_DEAD = `
local function trimDead(keys, maxEntries, maxBytes, oldestMs, most)
  local left = redis.call('XLEN', keys[1])
  local bytes = tonumber(redis.call('HGET', keys[4], 'dead-bytes') or '0')
  local dropped, byReason = 0, {}
  while dropped < most and left > 0 do
    local head = redis.call('XRANGE', keys[1], '-', '+', 'COUNT', 1)[1]
    local reason
    if left > maxEntries then
      reason = 'entries'
    elseif bytes - removedBytes > maxBytes and left > 1 then
      reason = 'bytes'
    elseif tonumber(string.match(head[1], '^%d+')) < oldestMs then
      reason = 'age'
    else
      break
    end
    removeDead(keys, head)
    byReason[reason] = (byReason[reason] or 0) + 1
    dropped = dropped + 1
    left = left - 1
  end
  countRemoved(keys)
  for reason, count in pairs(byReason) do redis.call('HINCRBY', keys[4], 'dead-dropped-' .. reason, count) end
  return dropped
end
`
