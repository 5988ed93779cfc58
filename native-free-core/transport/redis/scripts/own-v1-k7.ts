import { defineScript } from '../redis-script.js'
import { checkTypes, NOW_MS, REPLACE_GROUPS } from './lua-parts.js'

/**
 * Takes the shard when nobody holds it. The new owner reads through a consumer group of its own from the start of the
 * streams: as settled entries are deleted, that is exactly what is left to do.
 *
 * - KEYS: owner, high, normal, low, deliveries, hwm, delayed
 * - ARGV: holder, claim (repeated when the reply to an earlier call was lost), leaseMs
 * - returns: [token, ms until the first delayed entry is due or -1, delivery counts as HGETALL], [0] when it is held
 *
 * Tokens are at least the server's time, so that they grow even when the keys are lost. Also forgets the high waters of
 * all but the eight latest epochs of each producer, once there are more than 1024.
 */
export const OWN = defineScript(
  'own-v1-k7',
  `
#!lua flags=allow-oom
${checkTypes(['hash', 'stream', 'stream', 'stream', 'hash', 'hash', 'zset'])}
${NOW_MS}
${REPLACE_GROUPS}
local function forgetOldEpochs()
  local epochs = {}
  for _, field in ipairs(redis.call('HKEYS', KEYS[6])) do
    local producer, epoch = string.match(field, '^(.*)#(%d+)$')
    if producer then
      epochs[producer] = epochs[producer] or {}
      table.insert(epochs[producer], tonumber(epoch))
    end
  end
  for producer, list in pairs(epochs) do
    table.sort(list, function(a, b) return a > b end)
    for i = 9, #list do redis.call('HDEL', KEYS[6], producer .. '#' .. string.format('%.0f', list[i])) end
  end
end

local owner = redis.call('HMGET', KEYS[1], 'token', 'until', 'claim')
local token = tonumber(owner[1] or '0')
local isHeld = tonumber(owner[2] or '0') > now
if isHeld and owner[3] ~= ARGV[2] then return {0} end
if not isHeld then
  token = math.max(token + 1, now)
  local text = string.format('%.0f', token)
  for priority = 0, 2 do
    replaceGroups(KEYS[2 + priority], priority, KEYS[5], '+', 'g' .. text .. '.0', '0')
  end
  redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'claim', ARGV[2], 'token', text, 'settled', 0, 'group', 0)
  if redis.call('HLEN', KEYS[6]) > 1024 then forgetOldEpochs() end
end
redis.call('HSET', KEYS[1], 'until', now + ARGV[3])
local due = redis.call('ZRANGE', KEYS[7], 0, 0, 'WITHSCORES')[2]
return {token, due and math.max(0, tonumber(due) - now) or -1, redis.call('HGETALL', KEYS[5])}
`,
)
