import { defineScript } from '../redis-script.js'
import { NOW_MS } from './lua-parts.js'

/**
 * What is in the shard.
 *
 * - KEYS: owner, high, normal, low, delayed, dead, ctl
 * - returns: [entries, samples, bytes, dead letters, delayed, ms at which the oldest entry was stored or -1, owner or '']
 */
export const DEPTH = defineScript(
  'depth-v1-k7',
  `
#!lua flags=no-writes,allow-oom
${NOW_MS}
local entries, oldest = redis.call('ZCARD', KEYS[5]), -1
for i = 2, 4 do
  entries = entries + redis.call('XLEN', KEYS[i])
  local head = redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1]
  local storedAt = head and tonumber(string.match(head[1], '^%d+'))
  if storedAt and (oldest < 0 or storedAt < oldest) then oldest = storedAt end
end
local sizes = redis.call('HMGET', KEYS[7], 'samples', 'bytes')
local owner = redis.call('HMGET', KEYS[1], 'holder', 'until')
local holder = tonumber(owner[2] or '0') > now and owner[1] or ''
return {
  entries, tonumber(sizes[1] or '0'), tonumber(sizes[2] or '0'), redis.call('XLEN', KEYS[6]),
  redis.call('ZCARD', KEYS[5]), oldest, holder,
}
`,
)
