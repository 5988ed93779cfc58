import { defineScript } from '../redis-script.js'
import { COUNT_GROUP, REMOVE_DEAD, TRIM_DEAD } from './dead-letter-parts.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Ends leases and saves state, all or nothing, if the caller still owns the shard.
 *
 * - KEYS: owner, high, normal, low, delayed, held, dead, deliveries, ctl, state, bodies and groups of the dead letters
 * - ARGV: token, number of the settlement (grows within a token), group; bounds of the dead letters: entries, bytes, age
 *   in ms; then four lists, each behind its length:
 *   - acks: priority, id, samples, bytes
 *   - retries: priority, id, attempts, deliveries so far, afterMs
 *   - dead letters: priority, id, samples, bytes, attempts, deliveries so far, class, message,
 *     fingerprint
 *   - state rows to set: row, value; and last, state rows to delete: row
 * - returns: ms until the first delayed entry is due, -1 when none is delayed, -2 when fenced
 *
 * Entries that are gone already are skipped: a settlement may be repeated. One that arrives after a later one (a
 * connection was given up, its bytes were still under way) is refused: it would bring old state back.
 * Redis serves nobody else meanwhile: about 5 us for an entry, 25 us for a dead letter, 2.5 us for a small row, 1.5 ms for a megabyte of state.
 */
export const SETTLE = defineScript(
  'settle-v2-k12',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'stream', 'stream', 'zset', 'hash', 'stream', 'hash', 'hash', 'hash', 'hash', 'hash'])}
${COUNT_GROUP}
${REMOVE_DEAD}
${TRIM_DEAD}
local owner = redis.call('HMGET', KEYS[1], 'token', 'settled', 'holder')
if owner[1] ~= ARGV[1] then return -2 end
if tonumber(owner[2]) >= tonumber(ARGV[2]) then return redis.error_reply('BUSY a later settlement was made already') end
redis.call('HSET', KEYS[1], 'settled', ARGV[2])
${NOW_MS}
local group = ARGV[3]
local hasCounts = redis.call('EXISTS', KEYS[8]) == 1
local samples, bytes = 0, 0

local function remove(priority, id)
  local stream = KEYS[2 + priority]
  redis.call('XACK', stream, group, id)
  if hasCounts then redis.call('HDEL', KEYS[8], priority .. ':' .. id) end
  return redis.call('XDEL', stream, id) == 1
end

local function fieldsOf(priority, id, first)
  local entry = redis.call('XRANGE', KEYS[2 + priority], id, id)[1]
  if not entry then return nil end
  for i = 1, #entry[2], 2 do
    local name = entry[2][i]
    if name ~= 'a' and name ~= 'd' then
      table.insert(first, name)
      table.insert(first, entry[2][i + 1])
    end
  end
  return first
end

local at = 7
for _ = 1, tonumber(ARGV[at]) do
  if remove(ARGV[at + 1], ARGV[at + 2]) then
    samples = samples + ARGV[at + 3]
    bytes = bytes + ARGV[at + 4]
  end
  at = at + 4
end

at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  local priority, id = ARGV[at + 1], ARGV[at + 2]
  local fields = fieldsOf(priority, id, {'a', ARGV[at + 3], 'd', ARGV[at + 4]})
  if fields then
    local member = priority .. ':' .. id
    redis.call('HSET', KEYS[6], member, cmsgpack.pack(fields))
    redis.call('ZADD', KEYS[5], now + ARGV[at + 5], member)
    remove(priority, id)
  end
  at = at + 5
end

at = at + 1
local dead, deadBytes, died, diedMs = 0, 0, {}, 0
for _ = 1, tonumber(ARGV[at]) do
  local priority, id = ARGV[at + 1], ARGV[at + 2]
  local entry = redis.call('XRANGE', KEYS[2 + priority], id, id)[1]
  if entry then
    local fields = {
      'x', ARGV[at + 7], 'm', ARGV[at + 8], 'f', ARGV[at + 9], 'p', priority, 'o', id, 'a', ARGV[at + 5],
      'd', ARGV[at + 6], 'w', owner[3] or '', 'z', ARGV[at + 4],
    }
    local body = ''
    for i = 1, #entry[2], 2 do
      local name = entry[2][i]
      if name == 'b' then
        body = entry[2][i + 1]
      elseif name ~= 'a' and name ~= 'd' then
        table.insert(fields, name)
        table.insert(fields, entry[2][i + 1])
      end
    end
    local deadId = redis.call('XADD', KEYS[7], '*', unpack(fields))
    redis.call('HSET', KEYS[11], deadId, body)
    deadBytes = deadBytes + ARGV[at + 4]
    diedMs = tonumber(string.match(deadId, '^%d+'))
    local group = died[ARGV[at + 9]] or {0, ARGV[at + 7], string.sub(ARGV[at + 8], 1, 500)}
    group[1] = group[1] + 1
    died[ARGV[at + 9]] = group
    remove(priority, id)
    samples = samples + ARGV[at + 3]
    bytes = bytes + ARGV[at + 4]
    dead = dead + 1
  end
  at = at + 9
end
if dead > 0 then
  redis.call('HINCRBY', KEYS[9], 'dead-bytes', deadBytes)
  for mark, group in pairs(died) do countGroup(KEYS[12], mark, group[1], diedMs, group[2], group[3]) end
  local keys = {KEYS[7], KEYS[11], KEYS[12], KEYS[9]}
  trimDead(keys, tonumber(ARGV[4]), tonumber(ARGV[5]), now - ARGV[6], dead + 16)
end
redis.call('HINCRBY', KEYS[9], 'samples', 0 - samples)
redis.call('HINCRBY', KEYS[9], 'bytes', 0 - bytes)

at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  redis.call('HSET', KEYS[10], ARGV[at + 1], ARGV[at + 2])
  at = at + 2
end
for i = at + 1, #ARGV do redis.call('HDEL', KEYS[10], ARGV[i]) end

local due = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')[2]
return due and math.max(0, tonumber(due) - now) or -1
`,
)
