import { defineScript } from '../redis-script.js'
import { COUNT_GROUP, REMOVE_DEAD, TRIM_DEAD } from './dead-letter-parts.js'
import { checkTypes, NOW_MS } from './lua-parts.js'

/**
 * Ends leases and saves state, all or nothing, if the caller still owns the shard.
 *
 * - KEYS: owner, high, normal, low, delayed, held, dead, deliveries, ctl, state, bodies and groups of the dead letters
 * - ARGV: token, number of the settlement (grows within a token), group; bounds of the dead letters: entries, bytes, age
 *   in ms; then four lists, each behind its length:
 *   - groups of acks: priority, how many, their samples and bytes together, samples and bytes of each as `s,b;s,b;...`; ids
 *   - retries: priority, id, attempts, deliveries so far, afterMs, handler from now on or ''
 *   - dead letters: priority, id, samples, bytes, attempts, deliveries so far, class, message, fingerprint, number of
 *     parts; then of each part: class, message, fingerprint, correlation id, samples, firstTakenAtUs, body. Without parts
 *     the entry itself is buried
 *   - state rows to set: row, value; and last, state rows to delete: row
 * - returns: ms until the first delayed entry is due, -1 when none is delayed, -2 when fenced
 *
 * Entries that are gone already are skipped: a settlement may be repeated. One that arrives after a later one (a
 * connection was given up, its bytes were still under way) is refused: it would bring old state back.
 * Redis serves nobody else meanwhile: about 2 us for an ack, 5 us for a retry, 25 us for a dead letter, 2.5 us for a small row, 1.5 ms for a megabyte of state.
 */
export const SETTLE = defineScript(
  'settle-v4-k12',
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
  redis.call('XDEL', stream, id)
end

local function entryOf(priority, id)
  return redis.call('XRANGE', KEYS[2 + priority], id, id)[1]
end

-- Adds to \`fields\` those of the entry that are not among them, and not its body when that is kept elsewhere.
local function addOthers(fields, entry, hasBody)
  local isThere = {b = not hasBody or nil}
  for i = 1, #fields, 2 do isThere[fields[i]] = true end
  for i = 1, #entry[2], 2 do
    if not isThere[entry[2][i]] then
      table.insert(fields, entry[2][i])
      table.insert(fields, entry[2][i + 1])
    end
  end
end

local function bodyOf(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'b' then return entry[2][i + 1] end
  end
  return ''
end

local at = 7
for _ = 1, tonumber(ARGV[at]) do
  local priority, count = ARGV[at + 1], tonumber(ARGV[at + 2])
  local stream, first, last = KEYS[2 + priority], at + 6, at + 5 + count
  if hasCounts then
    local members = {}
    for i = first, last do members[i - first + 1] = priority .. ':' .. ARGV[i] end
    redis.call('HDEL', KEYS[8], unpack(members))
  end
  -- An entry is removed in the step that ends its being pending: those that are all pending are all there.
  if redis.call('XACK', stream, group, unpack(ARGV, first, last)) == count then
    redis.call('XDEL', stream, unpack(ARGV, first, last))
    samples = samples + ARGV[at + 3]
    bytes = bytes + ARGV[at + 4]
  else
    local i = first
    for ofSamples, ofBytes in string.gmatch(ARGV[at + 5], '(%d+),(%d+)') do
      if redis.call('XDEL', stream, ARGV[i]) == 1 then
        samples = samples + ofSamples
        bytes = bytes + ofBytes
      end
      i = i + 1
    end
  end
  at = last
end

at = at + 1
for _ = 1, tonumber(ARGV[at]) do
  local priority, id = ARGV[at + 1], ARGV[at + 2]
  local entry = entryOf(priority, id)
  if entry then
    local fields = {'a', ARGV[at + 3], 'd', ARGV[at + 4]}
    if ARGV[at + 6] ~= '' then
      table.insert(fields, 'h')
      table.insert(fields, ARGV[at + 6])
    end
    addOthers(fields, entry, true)
    local member = priority .. ':' .. id
    redis.call('HSET', KEYS[6], member, cmsgpack.pack(fields))
    redis.call('ZADD', KEYS[5], now + ARGV[at + 5], member)
    remove(priority, id)
  end
  at = at + 6
end

at = at + 1
local dead, deadBytes, died, diedMs = 0, 0, {}, 0
for _ = 1, tonumber(ARGV[at]) do
  local priority, id, from, parts = ARGV[at + 1], ARGV[at + 2], at, tonumber(ARGV[at + 10])
  local entry = entryOf(priority, id)
  at = at + 10
  local function bury(kind, message, mark, body, more)
    local fields = {
      'x', kind, 'm', message, 'f', mark, 'p', priority, 'o', id, 'a', ARGV[from + 5], 'd', ARGV[from + 6],
      'w', owner[3] or '', 'z', #body,
    }
    for _, value in ipairs(more) do table.insert(fields, value) end
    addOthers(fields, entry, false)
    local deadId = redis.call('XADD', KEYS[7], '*', unpack(fields))
    redis.call('HSET', KEYS[11], deadId, body)
    deadBytes = deadBytes + #body
    diedMs = tonumber(string.match(deadId, '^%d+'))
    local group = died[mark] or {0, kind, string.sub(message, 1, 500)}
    group[1] = group[1] + 1
    died[mark] = group
    dead = dead + 1
  end
  if entry then
    if parts == 0 then bury(ARGV[from + 7], ARGV[from + 8], ARGV[from + 9], bodyOf(entry), {}) end
    for part = 0, parts - 1 do
      local p = at + 7 * part
      local more = {'c', ARGV[p + 4], 'n', ARGV[p + 5], 't', ARGV[p + 6]}
      bury(ARGV[p + 1], ARGV[p + 2], ARGV[p + 3], ARGV[p + 7], more)
    end
    remove(priority, id)
    samples = samples + ARGV[from + 3]
    bytes = bytes + ARGV[from + 4]
  end
  at = at + 7 * parts
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
